"""Reports that are written beside standard output: `--output FORMAT=FILE`, as often as somebody wants.

All of them are written before an exit code is decided, files whole or not at all.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.errors import UsageError, WriteError

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterable, Sequence
    from typing import TextIO

    Write = Callable[[str, TextIO], None]


def add_output(parser: ArgumentParser, formats: Sequence[str]) -> None:
    """Let a verb take `--output`: `flags.output` is a list of formats and files."""

    def parse(value: str) -> tuple[str, Path]:
        form, equals, file = value.partition("=")
        if not (equals and file) or form not in formats:
            message = f"{value[:40]!r} is not FORMAT=FILE"
            raise UsageError(message, hint=f"--output sarif=ports.sarif; formats: {', '.join(formats)}")
        return form, Path(file)

    parser.add_argument(
        "--output", type=parse, action="append", default=[], metavar="FORMAT=FILE", help="write this as well"
    )


def write_outputs(outputs: Iterable[tuple[str, Path]], write: Write) -> list[WriteError]:
    """Write each file with `write(format, stream)`; return what is wrong, which keeps from no other report."""
    failures = []
    for form, file in outputs:
        try:
            _write_file(file, form, write)
        except OSError as error:
            message = f"{file}: {error.strerror or error}"
            failures.append(WriteError(message, hint="is the folder there, and is there room?"))
    return failures


def _write_file(file: Path, form: str, write: Write) -> None:
    """Write a file whole or not at all: whoever reads it at that moment sees the old one or the new one."""
    if file.is_symlink() or (file.exists() and not file.is_file()):  # /dev/stdout, a pipe, a device: as they are
        with file.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            write(form, stream)
        return
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    temporary = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:  # noqa: PTH123  # a descriptor
            write(form, stream)
        temporary.chmod(mode)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
