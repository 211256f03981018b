"""Findings as SARIF 2.1.0 (OASIS Standard, Static Analysis Results Interchange Format), for code scanning.

Paragraphs are those of the standard. The results lie in the policy's file: that is what a repository has. Code hosts
tell an alert of yesterday by `partialFingerprints`, and GitHub by `primaryLocationLineHash` alone (its documentation,
"SARIF support for code scanning"); without one of ours all findings on a line would be one alert.
"""

from __future__ import annotations

import os
from hashlib import sha256
from json import dumps
from posixpath import normpath
from urllib.parse import quote

from portulan import __version__
from portulan.cli.reports.wording import say_case, say_host, say_port
from portulan.cli.terminal import clean
from portulan.judge.rules import FINDINGS, NOTES, RULES
from portulan.model import is_of_windows
from portulan.rulebook import first_sentence, page, without_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from portulan.judge.findings import Check, Finding, Location
    from portulan.model import Attention, Incomplete

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
"""What relative addresses start from; whoever reads the report knows where that is (3.4.4, 3.14.14)."""

LEVELS: dict[Attention, str] = {"investigate": "error", "look": "warning", "ok": "note"}
"""3.27.10."""


def render(check: Check, *, of_files: bool = False) -> Iterator[str]:
    """Render a log of one run: the rules that were used, a result for each finding, a notification for each refusal.

    `of_files`: the findings are about what files declare, and so about no machine.

    Everything beyond ASCII is escaped, and what no terminal should get before that, so that the log is as harmless as
    it is valid.
    """
    examples = {finding.rule: finding for finding in reversed(check.findings)}
    places = {code: place for place, code in enumerate(sorted(examples))}
    driver = {
        "name": "portulan",
        "version": __version__,
        "rules": [_descriptor(code, examples[code]) for code in places],
    }
    run = {
        "tool": {"driver": driver},
        "originalUriBaseIds": {ROOT: {"description": {"text": "The folder that paths of files start from."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,  # it came to its end: what was refused is a warning (3.20.14)
                "toolExecutionNotifications": [_notification(refused) for refused in check.incomplete],
            }
        ],
    }
    yield f'{{"$schema": "{SCHEMA}", "version": "2.1.0", "runs": [{dumps(run)[:-1]}, "results": ['
    separator = "\n"
    for finding in check.findings:
        yield separator + dumps(_result(finding, places[finding.rule], of_files=of_files))
        separator = ",\n"
    yield "\n]}]}\n"


def _descriptor(code: str, example: Finding) -> dict[str, Any]:
    """Return what is said of a rule (3.49), by its page; GitHub shows the help beside an alert."""
    title = clean(example.title)
    told: dict[str, Any] = {"fullDescription": {"text": title}, "help": {"text": title}}
    name = title.replace(" ", "-")
    if code in RULES or code in FINDINGS or code in NOTES:
        found = page(code)
        name = found.name
        more = [found.finds, found.matters, found.what_to_do, f"More: `portulan why {code}`"]
        told = {
            "fullDescription": {"text": first_sentence(found.finds)},
            "help": {
                "text": without_links("\n\n".join(more)),
                "markdown": without_links("\n\n".join([f"# {code}: {name}", *more])),
            },
        }
    return {
        "id": code,
        "name": "".join([word.capitalize() for word in name.split("-")]),
        "shortDescription": {"text": title},
        **told,
        "defaultConfiguration": {"level": LEVELS[example.attention]},
    }


def _result(finding: Finding, place: int, *, of_files: bool) -> dict[str, Any]:
    identity = clean(finding.fingerprint if finding.host is None else f"{finding.fingerprint}@{finding.host}")
    port = clean(say_port(finding))
    host = {} if of_files else {"host": clean(say_host(finding.host))}
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": place,
        "level": LEVELS[finding.attention],
        "message": {"text": _say(say_case(finding))},
        "locations": [
            {
                "physicalLocation": _locate(finding.location),
                "logicalLocations": [
                    {"name": port, "fullyQualifiedName": " ".join([*host.values(), port]), "kind": "resource"}
                ],
            }
        ],
        "partialFingerprints": {
            "portulan/v1": identity,
            "primaryLocationLineHash": f"{sha256(identity.encode()).hexdigest()[:16]}:1",
        },
        "properties": {"attention": finding.attention, **host, "direction": finding.direction},
    }
    if finding.count:
        result["occurrenceCount"] = finding.count
    return result


def _locate(location: Location) -> dict[str, Any]:
    uri, is_relative = uri_of(location.file)
    artifact = {"uri": uri, "uriBaseId": ROOT} if is_relative else {"uri": uri}
    return {"artifactLocation": artifact, "region": {"startLine": location.line, "startColumn": location.column}}


def uri_of(path: str) -> tuple[str, bool]:
    """Return a path as a URI, and whether that is relative (RFC 3986, sections 3.3 and 4.2; RFC 8089, appendix E.2)."""
    if is_of_windows(path):
        path = path.replace("\\", "/")
        return ("file:" if path.startswith("//") else "file:///") + _percent(path), False
    path = normpath(path.replace(os.sep, "/"))
    return (f"file:///{_percent(path.lstrip('/'))}", False) if path.startswith("/") else (_percent(path), True)


def _percent(path: str) -> str:
    return quote(path.encode("utf-8", "backslashreplace"), safe="/")


def _notification(refused: Incomplete) -> dict[str, Any]:
    said = f"{refused.what}: {refused.why}." + (f" {refused.hint}" if refused.hint else "")
    return {"level": "warning", "descriptor": {"id": "incomplete"}, "message": {"text": _say(said)}}


def _say(text: str) -> str:
    """Return a plain text message in which nothing is a placeholder or a link (3.11.5, 3.11.6)."""
    return clean(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")
