"""What a check found, in the formats that people, scripts, code hosts and monitoring systems read.

One module a format, each with `render`: a pure function from a `Check` to pieces of text, one after the other, since a
fleet may have a hundred thousand findings. None of them raises, whatever processes, files and policies are called.
"""

from __future__ import annotations

from importlib import import_module

from portulan.cli.terminal import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import TextIO

    from portulan.judge.findings import Check
    from portulan.model import Attention

FORMATS = ("text", "json", "jsonl", "csv", "sarif", "junit", "github", "nagios", "prometheus", "markdown")

_OF_GATE = frozenset({"junit", "nagios"})
"""Formats in which a finding passes or fails, as the exit code has it."""


def write(check: Check, form: str, stream: TextIO, *, fail_on: Attention, at: datetime) -> None:
    """Write a check in one of the formats. `fail_on` is the attention that fails it, `at` when it was made."""
    stream.writelines(_render(check, form, stream, fail_on, at))


def _render(check: Check, form: str, stream: TextIO, fail_on: Attention, at: datetime) -> Iterator[str]:
    module = import_module(f"portulan.cli.reports.{form}")  # each of them loads what the others do without
    pieces: Iterator[str]
    if form == "text":
        pieces = module.render(check, Style(stream))
    elif form == "prometheus":
        pieces = module.render(check, at)
    elif form in _OF_GATE:
        pieces = module.render(check, fail_on)
    else:
        pieces = module.render(check)
    return pieces
