"""`portulan suggest`: the best port for a name, ten others as good, and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.chosen import owner_of, suggest_here
from portulan.cli import say, say_incomplete, say_passed_over
from portulan.cli.terminal import Style, clean, wrap
from portulan.errors import NotFound, UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from portulan.coordinate.hazards import Hazard
    from portulan.coordinate.suggest import Choice, Suggestion
    from portulan.model import Incomplete

MOST = 1_000
MEANT = (
    "that is: nobody holds it at any address here, and a trial on TCP and UDP could have it; IANA has not assigned it, "
    "no product is known for it, no range of numbers that are given away has it, and browsers connect to it"
)
"""What it means that nothing speaks against a port: what the hazards are found by (docs/hazards)."""
SHOWN = 6
"""So many numbers that were passed over are shown as text; JSON has all."""
COLUMNS = ("which", "port", "last", "compromise", "hazards", "yours")


def add_arguments(parser: ArgumentParser) -> None:
    """Say what the verb takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the service, or PROJECT/SERVICE; none: the project")
    parser.add_argument("--count", type=_number, default=1, metavar="N", help="so many ports, or blocks")
    parser.add_argument("--block", type=_number, default=1, metavar="N", help="so many consecutive numbers each")
    parser.add_argument("--portable", action="store_true", help="it is to work on Linux, macOS and Windows")
    parser.add_argument("--project", metavar="NAME", help="none: what git calls it, or the folder")
    parser.add_argument("--bare", action="store_true", help="the chosen numbers alone, one a line")


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(MOST)) and 0 < int(value) <= MOST):
        message = f"{value[:40]!r} is not a number from 1 to {MOST}"
        raise UsageError(message, hint="portulan suggest web --count 2")
    return int(value)


def run(flags: Namespace) -> int:
    """Choose, print, and return the exit code."""
    owner = owner_named(flags.name, flags.project)
    found, incomplete = suggest_here(owner, count=flags.count, size=flags.block, portable=flags.portable)
    if len(found.chosen) < flags.count:
        wanted = f"{flags.count} blocks of {flags.block} numbers" if flags.block > 1 else f"{flags.count} ports"
        message = f"there are no {wanted} to suggest, only {len(found.chosen)}"
        raise NotFound(message, hint="ask for fewer, or for smaller blocks")
    if flags.bare:
        sys.stdout.writelines([f"{choice.port}\n" for choice in found.chosen])
    elif flags.format == "text":
        style = Style(sys.stdout)
        sys.stdout.writelines(_page(found, style) if style.terminal else _rows(found))
    else:
        _print_data(found, flags, incomplete)
    sys.stdout.flush()
    for refused in incomplete:
        say_incomplete(refused)
    say_passed_over()
    if any(choice.compromise for choice in found.chosen):
        say("note: nothing was free of warnings: these have the fewest\n")
    return 3 if incomplete else 0


def owner_named(name: str | None, project: str | None) -> str:
    """Return whom the ports are for; an empty name is mostly a variable that is not set."""
    if "" in {name, project}:
        message = "a name is empty"
        raise UsageError(message, hint="leave it out, and the project's own port is suggested")
    try:
        return owner_of(name, Path(), project)
    except FileNotFoundError as error:
        message = "the folder that this runs in is no longer there, and the project is called after it"
        raise UsageError(message, hint="cd to another, or say --project NAME") from error


def _page(found: Suggestion, style: Style) -> Iterator[str]:
    """Explain on a terminal: the choice, what it was chosen for, what was passed over, what else there is."""
    numbers = ", ".join([_say(choice) for choice in found.chosen])
    yield style.paint(wrap(clean(f"{found.owner}: {numbers}"), style.width, ""), "heading") + "\n"
    for line in _reasons(found):
        yield wrap(clean(line), style.width, "  ", "  ") + "\n"
    before = found.passed_before
    if before:
        yield "  passed over:\n"
    for passed in before[:SHOWN]:
        hazard = passed.hazards[0]
        more = f"; {len(passed.hazards) - 1} more" if len(passed.hazards) > 1 else ""
        line = f"{passed.port}  {hazard.code} {hazard.reason}{more} ({hazard.source})"
        yield wrap(clean(line), style.width, "    ", "  ") + "\n"
    if len(before) > SHOWN:
        yield f"    and {len(before) - SHOWN} more\n"
    others = ", ".join([_say(choice) for choice in found.alternatives])
    yield wrap(f"as good: {others}" if others else "nothing else is as good", style.width, "  ", "  ") + "\n"


def _reasons(found: Suggestion) -> Iterator[str]:
    """Say why it is these."""
    best = found.chosen[0]
    if best.yours:
        yield "yours already: claimed"
    elif best.compromise:
        yield "each number has something that warns of it; this has the fewest"
    elif best.port == found.start:
        yield "the name points to it, and nothing speaks against it"
    else:
        yield f"the name points to {found.start}; this is the next on its way that nothing speaks against"
    if not any(choice.hazards for choice in found.chosen):
        yield MEANT
    for choice in found.chosen:
        for hazard in _each_once(choice):
            yield f"{hazard.port}: {hazard.code} {hazard.reason} ({hazard.severity}; {hazard.source})"


def _rows(found: Suggestion) -> Iterator[str]:
    """Yield a line for each port, the chosen ones first."""
    for which, choice in _both(found):
        said = "; ".join(filter(None, ("yours already" if choice.yours else "", _hazards(choice))))
        yield "\t".join([_say(choice), which, clean(said)]) + "\n"


def _both(found: Suggestion) -> Iterator[tuple[str, Choice]]:
    for choice in found.chosen:
        yield "chosen", choice
    for choice in found.alternatives:
        yield "alternative", choice


def _say(choice: Choice) -> str:
    return str(choice.port) if choice.size == 1 else f"{choice.port}-{choice.port + choice.size - 1}"


def _hazards(choice: Choice) -> str:
    return "; ".join([f"{hazard.port} {hazard.code} {hazard.reason}" for hazard in _each_once(choice)])


def _each_once(choice: Choice) -> list[Hazard]:
    """Return the hazards of a choice; what is said of several numbers of a block is said of the first."""
    told: dict[tuple[str, str], Hazard] = {}
    for hazard in choice.hazards:
        told.setdefault((hazard.code, hazard.reason), hazard)
    return list(told.values())


def _print_data(found: Suggestion, flags: Namespace, incomplete: tuple[Incomplete, ...]) -> None:
    from portulan.cli.formats import print_csv, print_json  # noqa: PLC0415  # json and csv cost a start-up each
    from portulan.document import plain  # noqa: PLC0415  # as above

    if flags.format == "json":
        around = {"portable": flags.portable, "incomplete": plain(incomplete)}
        print_json({"schema": "portulan.suggest/1", **plain(found), **around}, indent=2)
    elif flags.format == "jsonl":
        for which, choice in _both(found):
            print_json({"schema": "portulan.suggest/1", "owner": found.owner, "which": which, **plain(choice)})
    else:
        rows = [
            (
                *(which, choice.port, choice.port + choice.size - 1, "yes" if choice.compromise else "no"),
                *(_hazards(choice), "yes" if choice.yours else "no"),
            )
            for which, choice in _both(found)
        ]
        print_csv(COLUMNS, rows)
