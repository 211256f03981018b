"""`portulan run NAME -- CMD`: a program that begins with its port, claimed, bound and handed over.

This process becomes the program, so its pid, terminal, signals and exit code are the program's own, and the hold ends
with it.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.cli import say, say_error
from portulan.cli.terminal import clean
from portulan.coordinate.handover import NOT_EXECUTABLE, NOT_FOUND
from portulan.coordinate.hold import not_handed_over
from portulan.errors import ClaimConflict, UsageError
from portulan.held import hold

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from portulan.coordinate.hold import Hold


HINT = "portulan run web -- gunicorn app:app"


def add_arguments(parser: ArgumentParser) -> None:
    """Say what the verb takes before the two hyphens."""
    parser.add_argument("name", metavar="NAME", help="the service, or PROJECT/SERVICE")
    parser.add_argument("--port", type=_number, metavar="N", help="which; else what NAME has claimed, else suggest's")
    parser.add_argument("--block", type=_number, default=1, metavar="N", help="so many numbers from there (1)")
    parser.add_argument("--another", action="store_true", help="where somebody else has it take the next, do not fail")
    parser.add_argument("--public", action="store_true", help="on every address, not on loopback alone")
    parser.add_argument("--udp", action="store_true", help="UDP sockets too, behind those of TCP")
    parser.add_argument("--no-fd", action="store_true", help="CMD takes only a number: PORT, and no sockets")
    parser.add_argument("--scope", choices=("user", "machine", "team"), help="for whom nobody else may have it (user)")
    parser.add_argument("--ledger", metavar="FILE|URL", help="another ledger: a file, or a PostgreSQL for a team")


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part what is the verb's from what is the program's; `--help` needs no program."""
    if "--" not in words:
        if {"-h", "--help"}.isdisjoint(words):
            message = "there is no program to run: it stands behind two hyphens"
            raise UsageError(message, hint=HINT)
        return list(words), []
    at = words.index("--")
    return list(words[:at]), list(words[at + 1 :])


def run(flags: Namespace, command: Sequence[str]) -> int:
    """Take the port and become the program; return the exit code where that is not to be."""
    if not command:
        message = "there is no program to run"
        raise UsageError(message, hint=HINT)
    if sys.platform == "win32" and not flags.no_fd:
        raise not_handed_over()
    program = shutil.which(command[0])
    if program is None:
        there = os.path.lexists(command[0])
        say_error(f"{command[0]}: {'it may not be executed' if there else 'there is no such program'}")
        return NOT_EXECUTABLE if there else NOT_FOUND
    try:
        held = hold(
            flags.name,
            port=flags.port,
            size=flags.block,
            public=flags.public,
            udp=flags.udp,
            another=flags.another,
            purpose=Path(program).name.encode("ascii", "replace").decode("ascii"),
            scope=flags.scope,
            ledger=flags.ledger,
        )
    except ClaimConflict as error:
        say_error(error.message, error.hint)
        return 1
    say(f"{_numbers(held)} is {clean(held.claim.owner)}'s until it ends\n")
    if flags.no_fd:
        held.let_go_of_sockets()
    if sys.platform == "win32":
        with held:  # no process becomes another there
            return held.start(command).wait()
    try:
        held.become(command)
    except OSError as error:
        say_error(f"{program}: {error.strerror}", "has it a #! line, and is it for this processor?")
        return NOT_EXECUTABLE


def _numbers(held: Hold) -> str:
    size = held.claim.size
    return str(held.port) if size == 1 else f"{held.port}-{held.port + size - 1}"


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 5 and int(value)):  # noqa: PLR2004  # 65535 has five
        message = f"{value[:40]!r} is not a number from 1 to 65535"
        raise UsageError(message, hint="portulan run web --port 15873 -- gunicorn app:app")
    return int(value)
