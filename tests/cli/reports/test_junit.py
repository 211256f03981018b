"""JUnit XML: what Jenkins' schema says, and which rule is satisfied."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from portulan.model import replace
from tests.cli.reports.night import BAD, CLEAN, printable, written
from tests.strategies import checks

if TYPE_CHECKING:
    from portulan.judge.findings import Check
    from portulan.model import Attention

SCHEMA = Path(__file__).parents[2] / "data" / "schemas" / "junit-10.xsd"


def suite_of(check: Check, *, fail_on: Attention = "investigate") -> ET.Element:
    """Return the suite of a well-formed report."""
    root = ET.fromstring(written(check, "junit", fail_on=fail_on).encode())  # noqa: S314  # our own
    (suite,) = root
    return suite


def validate(text: str) -> None:
    """Fail where a report is not what the schema says."""
    xmllint = shutil.which("xmllint") or pytest.skip("needs the program xmllint (Debian: libxml2-utils)")
    done = subprocess.run(
        [xmllint, "--nonet", "--noout", "--huge", "--schema", str(SCHEMA), "-"],
        input=text.encode("ascii"),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "backslashreplace")[:2_000]


def test_each_rule_is_a_case() -> None:
    """A rule that is satisfied passes, one with findings fails; a finding without a rule is a case of its own."""
    suite = suite_of(BAD)
    assert [(case.get("name"), [part.tag for part in case]) for case in suite] == [
        ("expect 22/tcp: executable /usr/sbin/sshd", []),
        ("expect 5432/tcp: executable /usr/lib/postgresql/*", ["failure"]),
        ("forbid 23/tcp", ["failure"]),
        ("pbx1 -> 2528/tcp: program against the cited use", ["failure"]),
        ("pbx1 8000/tcp: a listener that no rule expects", ["failure"]),
        ("seen: owners of 3 sockets", ["skipped"]),
    ]
    assert {key: suite.get(key) for key in ("name", "tests", "failures", "errors", "skipped", "hostname")} == {
        "name": "conf/ports.toml",
        "tests": "6",
        "failures": "4",
        "errors": "0",
        "skipped": "1",
        "hostname": "pbx1",
    }
    failure = suite[1][0]
    assert failure.get("type") == "PT205"
    assert "conf/ports.toml:8:1" in (failure.text or "")


def test_what_fails_is_what_the_exit_code_says() -> None:
    """A finding below the attention that fails the check is told as output of a case that passes."""
    calm = replace(BAD, findings=tuple([replace(finding, attention="look") for finding in BAD.findings]))
    assert [[part.tag for part in case] for case in suite_of(calm)][1] == ["system-out"]
    assert suite_of(calm).get("failures") == "0"
    assert suite_of(calm, fail_on="look").get("failures") == "4"


def test_findings_of_one_rule_are_one_failure() -> None:
    """A rule that a whole fleet breaks is one case, which tells of the first and how many more there are."""
    missing = BAD.findings[2]
    many = replace(BAD, findings=tuple([replace(missing, host=f"host{number}") for number in range(300)]))
    case = suite_of(many)[1]
    (failure,) = case
    assert str(failure.get("message")).endswith("(and 299 more)")
    assert (failure.text or "").endswith("... and 200 more")


def test_reports_are_what_the_schema_says() -> None:
    """A bad night and a good one are valid against the schema."""
    validate(written(BAD, "junit"))
    validate(written(CLEAN, "junit"))


@settings(max_examples=30)
@given(check=checks())
def test_every_report_is_valid(check: Check) -> None:
    """Whatever is in it, the report is well-formed and valid, and its counts are those of its cases."""
    for fail_on in ("look", "investigate"):
        suite = suite_of(check, fail_on=fail_on)
        assert int(suite.get("tests", "")) == len(suite)
        assert int(suite.get("failures", "")) == sum(1 for case in suite if case.find("failure") is not None)
        assert printable([case.get("name", "") for case in suite])
    validate(written(check, "junit"))
