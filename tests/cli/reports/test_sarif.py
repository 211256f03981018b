"""SARIF: what the OASIS' schema says, and what code scanning needs beyond."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from jsonschema import Draft4Validator

from portulan import __version__
from portulan.cli.reports.sarif import uri_of
from portulan.judge.rules import FINDINGS
from portulan.model import replace
from tests.cli.reports.night import BAD, CLEAN, written
from tests.strategies import checks

if TYPE_CHECKING:
    from portulan.judge.findings import Check

SCHEMA = Path(__file__).parents[2] / "data" / "schemas" / "sarif-schema-2.1.0.json"
VALIDATOR = Draft4Validator(json.loads(SCHEMA.read_text("utf-8")))

URI = re.compile(r"(file:///?)?([A-Za-z0-9._~!$&'()*+,;=@/-]|%[0-9A-F]{2})*")
"""A path of RFC 3986, section 3.3, without a colon, which a relative one may not have in its first part (4.2)."""


def run_of(check: Check) -> dict[str, Any]:
    """Return the run of a log that the schema describes."""
    log = json.loads(written(check, "sarif"))
    errors = [f"{error.json_path}: {error.message[:300]}" for error in VALIDATOR.iter_errors(log)]
    assert not errors, errors
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert isinstance(run, dict)
    return run


def test_a_log_of_a_bad_night() -> None:
    """Each finding is a result with its rule, level, message, place in the policy and place on the machine."""
    run = run_of(BAD)
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("portulan", __version__)
    assert [(rule["id"], rule["name"]) for rule in driver["rules"]] == [
        ("PT104", "ProgramAgainstTheCitedUse"),
        ("PT201", "UnexpectedListener"),
        ("PT205", "MissingService"),
        ("PT207", "ForbiddenByPolicy"),
    ]
    assert [result["ruleId"] for result in run["results"]] == ["PT207", "PT104", "PT205", "PT201"]
    missing = run["results"][2]
    assert missing["level"] == "error"
    assert missing["message"]["text"].startswith("pbx1: nothing holds 5432/tcp as the policy expects")
    assert missing["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "conf/ports.toml", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 8, "startColumn": 1},
            },
            "logicalLocations": [{"name": "5432/tcp", "fullyQualifiedName": "pbx1 5432/tcp", "kind": "resource"}],
        }
    ]


def test_rules_are_described_as_code_scanning_wants() -> None:
    """Each rule has what GitHub requires of one, and the level of its attention."""
    for rule in run_of(BAD)["tool"]["driver"]["rules"]:
        for key in ("shortDescription", "fullDescription", "help"):
            assert rule[key]["text"]
        assert rule["defaultConfiguration"] == {"level": "error"}


def test_what_was_refused_is_a_notification() -> None:
    """A check that could not see everything came to its end, and tells what it could not see."""
    (invocation,) = run_of(BAD)["invocations"]
    assert invocation["executionSuccessful"] is True
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"] == "owners of 3 sockets: not permitted. run as root"
    assert run_of(CLEAN)["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]
    assert run_of(CLEAN)["results"] == []


def test_an_alert_is_known_again() -> None:
    """The same matter has the same identity though its rule moves; that of another host has another."""
    (first,) = run_of(replace(BAD, findings=BAD.findings[-1:]))["results"]
    moved = replace(BAD.findings[-1], location=replace(BAD.findings[-1].location, line=99), count=5)
    (again,) = run_of(replace(BAD, findings=(moved,)))["results"]
    (elsewhere,) = run_of(replace(BAD, findings=(replace(moved, host="pbx2"),)))["results"]
    assert first["partialFingerprints"] == again["partialFingerprints"]
    for key in ("portulan/v1", "primaryLocationLineHash"):
        assert first["partialFingerprints"][key] != elsewhere["partialFingerprints"][key]
    alike = run_of(BAD)["results"]
    assert len({result["partialFingerprints"]["primaryLocationLineHash"] for result in alike}) == len(alike)


@pytest.mark.parametrize(
    ("path", "uri", "is_relative"),
    [
        ("ports.toml", "ports.toml", True),
        ("./conf//ports.toml", "conf/ports.toml", True),
        ("my ports:é#1?.toml", "my%20ports%3A%C3%A9%231%3F.toml", True),
        ("/etc/portulan/ports.toml", "file:///etc/portulan/ports.toml", False),
        ("//etc/ports.toml", "file:///etc/ports.toml", False),
        ("C:\\conf\\ports.toml", "file:///C%3A/conf/ports.toml", False),
        ("\\\\server\\conf\\ports.toml", "file://server/conf/ports.toml", False),
    ],
)
def test_a_path_becomes_a_uri(path: str, uri: str, *, is_relative: bool) -> None:
    """Relative paths stay relative, absolute ones are file URIs, and what a URI cannot have is percent-encoded."""
    assert uri_of(path) == (uri, is_relative)


@given(check=checks())
def test_every_log_is_valid(check: Check) -> None:
    """Whatever is in it, the log is what the schema says, its URIs are URIs, and nothing in a message is a link."""
    run = run_of(check)
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == len(check.findings)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        assert URI.fullmatch(location["physicalLocation"]["artifactLocation"]["uri"])
        assert "](" not in result["message"]["text"]
        assert not re.search(r"(?<!\{)\{(\{\{)*\d", result["message"]["text"])
    for notification in run["invocations"][0]["toolExecutionNotifications"]:
        assert notification["message"]["text"]


def test_every_code_has_a_name() -> None:
    """A finding of any code has a stable name in PascalCase."""
    for code in FINDINGS:
        (rule,) = run_of(replace(BAD, findings=(replace(BAD.findings[0], rule=code),)))["tool"]["driver"]["rules"]
        assert re.fullmatch(r"([A-Z][a-z]+)+", rule["name"])
