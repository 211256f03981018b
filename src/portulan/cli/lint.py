"""`portulan lint`: what speaks against the ports that a repository declares, and which of them meet."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.cli import say, say_error, say_incomplete, say_passed_over
from portulan.cli.check import FAIL_ON, exit_code
from portulan.cli.outputs import add_output, write_outputs
from portulan.cli.reports import github, sarif
from portulan.cli.reports.wording import say_place, say_port, say_tally, tally
from portulan.cli.terminal import Style, clean, wrap
from portulan.errors import PolicyError, UsageError
from portulan.linted import find_allowances, lint_path
from portulan.model import replace

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import Any, TextIO

    from portulan.judge.findings import Check, Finding
    from portulan.linted import Report

FORMATS = ("text", "json", "jsonl", "csv", "sarif", "github")
COLUMNS = ("attention", "code", "title", "port", "transport", "file", "line", "statement", "source", "fingerprint")


def add_arguments(parser: ArgumentParser) -> None:
    """Say what the verb takes."""
    parser.add_argument("path", nargs="?", default=".", metavar="PATH", help="a folder, or one file; none: this folder")
    parser.add_argument("--from", dest="reader", metavar="FORMAT", help="that of one file, where it is not told")
    parser.add_argument("--policy", metavar="FILE", help="what is allowed; none: ports.toml in the folder")
    parser.add_argument("--fail-on", choices=FAIL_ON, default="investigate", help="what the exit code 1 stands for")
    parser.add_argument("--format", choices=FORMATS, default="text", metavar="|".join(FORMATS))
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    add_output(parser, FORMATS)
    parser.add_argument("--all", action="store_true", help="tell also what a careful person would not speak of")


def run(flags: Namespace) -> int:
    """Lint, write what was found, and return the exit code."""
    if not Path(flags.path).exists():
        message = f"there is no {flags.path}"
        raise UsageError(message, hint="portulan lint FOLDER; without one, this folder")
    try:
        policy = find_allowances(flags.path, flags.policy)
    except PolicyError as error:
        if flags.format == "github":
            sys.stdout.writelines(github.render_faults(error))
        raise
    report = lint_path(flags.path, policy, reader=flags.reader, everything=flags.all)
    write = partial(_write, report)
    unwritten = write_outputs(flags.output, write)
    write(flags.format, sys.stdout)
    sys.stdout.flush()
    for refused in report.check.incomplete:
        say_incomplete(refused)
    say_passed_over()
    if flags.format == "text" and not sys.stdout.isatty():
        say(_summary(report))
    for failure in unwritten:
        say_error(failure.message, failure.hint)
    return 2 if unwritten else exit_code(report.check, flags.fail_on)


def _write(report: Report, form: str, stream: TextIO) -> None:
    if form == "sarif":
        stream.writelines(sarif.render(_for_hosts(report), of_files=True))
    elif form == "github":
        stream.writelines(github.render(_for_hosts(report)))
    elif form == "text":
        style = Style(stream)
        stream.writelines(_blocks(report, style) if style.terminal else _rows(report))
    else:
        _write_data(report, form, stream)


def _for_hosts(report: Report) -> Check:
    """Name the number in each statement: code hosts show that alone."""
    named = [
        one if one.port is None else replace(one, statement=f"{say_port(one)}: {one.statement}")
        for one in report.check.findings
    ]
    return replace(report.check, findings=tuple(named))


def _write_data(report: Report, form: str, stream: TextIO) -> None:
    import json  # noqa: PLC0415  # text does without

    documents = [_document(one, source) for one, source in _both(report)]
    if form == "jsonl":
        stream.writelines([json.dumps({"schema": "portulan.lint/1", **one}) + "\n" for one in documents])
    elif form == "csv":
        import csv  # noqa: PLC0415  # as above

        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in documents:
            row = {**one, **one["location"]}
            writer.writerow(["" if row[name] is None else clean(str(row[name])) for name in COLUMNS])
    else:
        from portulan.document import plain  # noqa: PLC0415  # as above

        allowed = [
            {"code": found.code, "port": found.port, "file": found.file, "line": found.line, "reason": by.reason}
            for found, by in report.allowed
        ]
        around = {"judged": report.check.judged, "findings": documents, "allowed": allowed}
        document = {"schema": "portulan.lint/1", **around, "incomplete": plain(report.check.incomplete)}
        stream.write(json.dumps(document, indent=2) + "\n")


def _both(report: Report) -> Iterator[tuple[Finding, str]]:
    yield from zip(report.check.findings, report.sources, strict=True)


def _document(finding: Finding, source: str) -> dict[str, Any]:
    from portulan.document import plain  # noqa: PLC0415  # text does without

    document = plain(finding)
    return {
        "rule": document["rule"],
        "code": document["rule"],
        **{
            key: document[key]
            for key in ("fingerprint", "title", "attention", "location", "port", "transport", "expected", "verdict")
        },
        "statement": document["statement"],
        "advice": document["advice"],
        "count": document["count"],
        "source": source,
    }


def _rows(report: Report) -> Iterator[str]:
    """Yield a line for each finding."""
    for one, source in _both(report):
        cells = (one.attention, one.rule, _number(one), say_place(one.location), one.statement, source)
        yield "\t".join([clean(cell) for cell in cells]) + "\n"


def _blocks(report: Report, style: Style) -> Iterator[str]:
    """Yield what a person reads: each finding with its place, its reason and where that is written."""
    for one, source in _both(report):
        head = clean(f"{one.attention}  {_number(one)}  {one.rule}: {one.title}  {say_place(one.location)}")
        head = wrap(head, style.width, "", "  ").replace(one.attention, style.paint(one.attention, one.attention), 1)
        yield head + "\n"
        told = one.statement if source in one.statement else f"{one.statement} ({source})"
        yield wrap(clean(told), style.width, "  ", "  ") + "\n"
    yield _summary(report)


def _number(finding: Finding) -> str:
    return "-" if finding.port is None else say_port(finding)


def _summary(report: Report) -> str:
    judged = report.check.judged
    numbers = "one published port" if judged == 1 else f"{judged} published ports"
    allowed = f", {len(report.allowed)} allowed" if report.allowed else ""
    return f"{say_tally(tally(report.check.findings))}{allowed}, of {numbers}\n"
