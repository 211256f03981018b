"""The reports for programs of one's own: JSON, JSON Lines, CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from hypothesis import given

from portulan.cli.reports.csv import COLUMNS
from portulan.document import plain
from tests.cli.reports.night import BAD, CLEAN, printable, written
from tests.strategies import checks
from tests.test_schemas import check as check_document

if TYPE_CHECKING:
    from portulan.judge.findings import Check


def rows_of(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV text, read strictly, by column."""
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_the_document_has_what_the_contract_shows() -> None:
    """JSON has the policy and what was judged around the findings; a missing service has a rule and no verdict."""
    document: dict[str, Any] = json.loads(written(BAD, "json"))
    assert list(document) == ["schema", "policy", "judged", "hosts", "asked", "findings", "incomplete"]
    assert document["policy"] == {"file": "conf/ports.toml", "rules": 3}
    assert (document["judged"], document["hosts"], document["asked"]) == (4, ["pbx1"], False)
    assert [finding["rule"] for finding in document["findings"]] == ["PT207", "PT104", "PT205", "PT201"]
    missing = document["findings"][2]
    assert missing["verdict"] is None
    assert missing["expected"]["port"] == [{"first": 5432, "last": 5432}]
    assert missing["location"] == {"file": "conf/ports.toml", "line": 8, "column": 1}
    assert document["findings"][3]["expected"] is None
    check_document("check-1.json", document)


def test_a_clean_check_has_an_empty_list() -> None:
    """Asked, nothing there: an empty list in JSON, no line in JSON Lines, the header in CSV."""
    assert json.loads(written(CLEAN, "json"))["findings"] == []
    assert written(CLEAN, "jsonl") == ""
    assert written(CLEAN, "csv").splitlines() == [",".join(COLUMNS)]


@given(check=checks())
def test_json_is_what_its_schema_says(check: Check) -> None:
    """Whatever is in it, the document is valid JSON that the schema describes, and says it all."""
    document = json.loads(written(check, "json"))
    check_document("check-1.json", document)
    said = (plain(check.findings), plain(check.incomplete))
    assert [document["findings"], document["incomplete"]] == json.loads(json.dumps(said))


@given(check=checks())
def test_a_line_is_a_finding(check: Check) -> None:
    """JSON Lines has a valid document a line, a finding each: those of JSON."""
    lines = written(check, "jsonl").split("\n")[:-1]
    documents = [json.loads(line) for line in lines]
    for document in documents:
        check_document("finding-1.json", document)
    findings = json.loads(written(check, "json"))["findings"]
    assert documents == [{"schema": "portulan.finding/1", **finding} for finding in findings]


@given(check=checks())
def test_csv_can_be_read_again(check: Check) -> None:
    """CSV has a row of all columns for each finding, with nothing in a cell that harms whoever prints it."""
    text = written(check, "csv")
    assert printable(text.split("\n"))
    rows = rows_of(text)
    assert [(row["rule"], row["fingerprint"], row["count"]) for row in rows] == [
        (finding.rule, finding.fingerprint, str(finding.count)) for finding in check.findings
    ]


def test_csv_tells_who_is_there() -> None:
    """The columns of the socket are those of the machine's list; a missing service has its rule alone."""
    forbidden, mailer, missing, _ = rows_of(written(BAD, "csv"))
    assert (mailer["peer_port"], mailer["executables"], mailer["users"]) == ("2528", "/home/shop/mailer", "www-data")
    assert (mailer["judgement"], mailer["effect"], mailer["squats_on"]) == ("unexplained", "", "ncr-ccl")
    assert (missing["effect"], missing["owner"], missing["executables"]) == ("expect", "shop", "")
    assert (forbidden["file"], forbidden["line"]) == ("conf/ports.toml", "15")
