"""`portulan registry draft`: IANA's application as text to paste, and on standard error what would become of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from portulan.cli import say
from portulan.cli.terminal import clean, wrap
from portulan.coordinate.application import FORM, PORT, QUESTIONS, Application, numbers_of
from portulan.coordinate.draft import draft
from portulan.document import plain
from portulan.errors import UsageError
from portulan.model import tier_of
from portulan.registry.iana import collapse_aliases
from portulan.registry.index import open_index
from portulan.registry.snapshots import CURRENT, read_snapshot

if TYPE_CHECKING:
    from argparse import Namespace

    from portulan.coordinate.draft import Draft

COLUMNS: Final = 72
"""The width of the text: that of RFCs and of letters to IANA, whatever the terminal has."""

LABEL: Final = 26
"""The column in which values begin."""


def run(flags: Namespace) -> int:
    """Print the draft; return 1 where it would be refused as it stands."""
    if flags.format not in {"text", "json"}:
        message = f"an application has no rows, and so no {flags.format}"
        raise UsageError(message, hint="portulan registry draft NAME --json")
    application = Application(
        flags.name,
        tuple(dict.fromkeys(flags.transport)),
        tuple(dict.fromkeys(flags.port)),
        flags.assignee,
        flags.contact,
        flags.description,
        flags.reference,
        flags.code,
        flags.unauthorized,
        flags.notes,
        _answers(flags.answer),
    )
    index = open_index()
    numbers = [port for port in numbers_of(application) if tier_of(port) != "dynamic"]
    rows = collapse_aliases(read_snapshot(CURRENT)[1])
    made = draft(application, rows, {port: index.entry(port) for port in numbers})
    if flags.format == "json":
        from portulan.cli import formats  # noqa: PLC0415  # text does without

        document = {"schema": "portulan.registry-draft/1", "snapshot": index.snapshot, "form": FORM, **plain(made)}
        formats.print_json(document, indent=2)
    else:
        sys.stdout.write(render_draft(made))
        sys.stdout.flush()  # so that what is said of it comes after it
        say(render_lints(made))
    return 1 if any(lint.outcome == "refused" for lint in made.lints) else 0


def _answers(words: list[str]) -> dict[str, str]:
    """Return answers by the key of their question."""
    answers = {}
    for word in words:
        key, equals, answer = word.partition("=")
        if key not in QUESTIONS or not equals:
            message = f"{word[:40]!r} answers no question"
            raise UsageError(message, hint=f"--answer KEY=TEXT; the keys are {', '.join(QUESTIONS)}")
        answers[key] = answer
    return answers


def render_draft(made: Draft) -> str:
    """Return the application as text; what is still to be written stands in angle brackets."""
    fields = [_entry(f"{field.name}:", field.value, field.to_write) for field in made.fields]
    questions = [
        wrap(asked.question, COLUMNS, "") + "\n" + _entry("", asked.answer, f"--answer {asked.key}=TEXT", column=4)
        for asked in made.questions
    ]
    return "\n".join([f"Application for: {made.resources}", "", *fields, "", "\n\n".join(questions), ""])


def _entry(label: str, value: str | None, to_write: str | None, *, column: int = LABEL) -> str:
    """Return a label and the lines of its value, which begin in a column."""
    lines = value.splitlines() if value else [f"<{to_write}>"] if to_write else [""]
    text = "\n".join(wrap(clean(line), COLUMNS, " " * column) for line in lines)
    return (label.ljust(column) + text[column:]).rstrip()


def render_lints(made: Draft) -> str:
    """Return what speaks against the application, a finding and what to do about it, and a last line with the sum."""
    told = [
        f"{lint.outcome}: {lint.field}: {clean(lint.statement)} ({lint.source})\nhint: {clean(lint.advice)}\n"
        for lint in made.lints
    ]
    fields = sum(field.to_write is not None for field in made.fields)
    open_questions = sum(not asked.answer for asked in made.questions)
    refused = sum(lint.outcome == "refused" for lint in made.lints)
    outcome = f"refused as it stands, for {refused} of the above" if refused else f"decided by {made.procedure}"
    left = f"fields to be written: {fields}, questions to be answered: {open_questions}"
    kept = "not to be used in public before it is assigned (RFC 6335, section 8.1.1)\n" if _has_port(made) else ""
    return "".join([*told, f"{left}; {outcome}; to be sent with {FORM}\n", kept])


def _has_port(made: Draft) -> bool:
    return any(field.name == PORT and field.value for field in made.fields)
