"""What answers, at the door: whom to ask, the plan for this machine, and the answers as rows."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from portulan.answer import open_map, short
from portulan.cli import say, say_incomplete, worse
from portulan.cli.targets import parse_ports, split_target
from portulan.cli.terminal import Style, clean, print_rows
from portulan.document import plain
from portulan.errors import UsageError
from portulan.model import Incomplete, Value, replace
from portulan.observe.readers import Origin, Reading, find_reader
from portulan.observe.readers.source import open_source
from portulan.probed import Target, probe, remembering, targets_at, targets_here
from portulan.whom import addresses_of, is_here, is_private

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from portulan.model import Identification, Observation, Transport

    Answers = list[tuple[Target, Identification]]

HEADINGS = ("PORT", "ADDRESS", "PROTOCOL", "LAYERS", "PRODUCT", "VERSION", "CONFIDENCE", "WHY")
COLUMNS = (
    *("address", "port", "transport", "protocol", "layers", "product", "version", "confidence", "behaviour"),
    *("connections", "bytes_sent", "bytes_received", "duration_ms", "reasons"),
)
SILENT_S = 1.0
"""Nothing is said of the progress of what takes less."""


class Wish(Value):
    """Whom to ask: the target as it was typed, and what to ask there."""

    target: str | None
    targets: tuple[Target, ...]
    near: bool
    incomplete: tuple[Incomplete, ...] = ()


def run(flags: Namespace) -> int:
    """Ask what answers, print it, and return the exit code."""
    wish = _here(flags) if flags.target is None else _there(flags)
    if flags.history is not None:
        wish = replace(wish, targets=tuple(remembering(wish.targets, _earlier(flags.history))))
    if flags.target is None and not flags.yes:
        _show_plan(wish)
        if not _agreed(len(wish.targets)):
            return 0
    answers: Answers = []
    interrupted = False
    try:
        answers.extend(_ask(wish, flags))
    except KeyboardInterrupt:
        interrupted = True  # what was answered until then is told all the same
    answers.sort(key=lambda found: (found[0].port, found[0].transport, found[0].address))
    _print(answers, wish, flags)
    sys.stdout.flush()
    for refused in wish.incomplete:
        say_incomplete(refused)
    found = [answer for _, answer in answers]
    missing = flags.target is not None and all("the connection was refused" in answer.reasons for answer in found)
    code = worse(1 if missing and not interrupted else 0, 3 if wish.incomplete else 0)
    return worse(code, 130 if interrupted else 0)


# ------------------------------------------------------------------------------------------------------- whom to ask


def _here(flags: Namespace) -> Wish:
    """Find the listeners of this machine."""
    from portulan.observe import survey  # noqa: PLC0415  # a target needs none

    if flags.udp:
        message = "--udp needs a target"
        raise UsageError(message, hint=f"portulan identify 127.0.0.1 --udp {flags.udp}")
    seen = survey(command_lines=True)
    targets = targets_here(seen, open_map(), consent=flags.consent)
    return Wish(None, tuple(targets), near=True, incomplete=seen.incomplete)


def _there(flags: Namespace) -> Wish:
    """Read a target, and see that it may be asked."""
    host, tcp = split_target(flags.target)
    udp = parse_ports(flags.udp) if flags.udp else ()
    addresses = addresses_of(host)
    address = addresses[0]
    if not all(map(is_private, addresses)) and not flags.i_am_allowed:  # it may be any of them that answers
        message = f"{short(host)} is not on this machine or in a private network"
        raise UsageError(message, hint="ask only who agrees; if that is so: --i-am-allowed")
    near = is_here(address)
    wanted: tuple[tuple[Transport, tuple[int, ...]], ...] = (("tcp", tcp), ("udp", udp))
    if not tcp and not udp:
        if not near:
            message = f"which ports of {short(host)}?"
            raise UsageError(message, hint=f"portulan identify {short(host)}:22,80,8000-8100")
        from portulan.observe import survey  # noqa: PLC0415  # as above

        here = targets_here(survey(command_lines=True), open_map(), consent=flags.consent)
        return Wish(flags.target, tuple([target for target in here if target.address == address]), near=True)
    known = _known_here(flags) if near else {}  # also blind: debuggers are left alone
    targets = [
        replace(_held(known.get((target.port, target.transport), []), address) or target, address=host)
        for transport, ports in wanted
        for target in targets_at(host, ports, transport, open_map(), consent=flags.consent, near=near)
    ]
    return Wish(flags.target, tuple(targets), near)


def _earlier(path: str) -> Iterator[Observation]:
    """Yield what a file says that answered earlier. Raises ReadError for one that tells nothing."""
    source = open_source(path)
    reading = Reading([Origin.of(source, find_reader(source))])
    yield from reading
    for refused in reading.incomplete:
        say_incomplete(refused)


def _held(targets: list[Target], address: str) -> Target | None:
    """Return the listener at an address, or else any; with the programs of all, for the sake of the debuggers."""
    if not targets:
        return None
    mine = next((target for target in targets if target.address == address), targets[0])
    programs = dict.fromkeys([name for target in targets for name in target.known.programs])
    return replace(mine, known=replace(mine.known, programs=tuple(programs)))


def _known_here(flags: Namespace) -> dict[tuple[int, str], list[Target]]:
    """Return what is known of the listeners of this machine."""
    from portulan.observe import survey  # noqa: PLC0415  # as above

    here = targets_here(survey(command_lines=True), open_map(), consent=flags.consent)
    found: dict[tuple[int, str], list[Target]] = {}
    for target in here:
        found.setdefault((target.port, target.transport), []).append(target)
    return found


# ----------------------------------------------------------------------------------------------------------- the plan


def _show_plan(wish: Wish) -> None:
    """Say on standard error what would be asked, since standard output is for the answers."""
    lines = ["This machine's listeners would be asked what they speak:\n"]
    for target in sorted(wish.targets, key=lambda target: (target.port, target.transport, target.address)):
        likely = ", ".join([*target.known.speaks, *target.known.prior][:3])
        what = f"only listened to: {target.why_not}" if target.why_not else likely and f"first for {likely}"
        held = ", ".join(target.known.programs[:1])
        said = "  ".join([text for text in (held, what) if text])
        lines.append(clean(f"  {target.port}/{target.transport:4} {target.address:16} {said}".rstrip()) + "\n")
    lines.append(
        "Each gets at most 8 connections and 4 KiB; it may write that into its log. Nothing leaves this machine.\n"
    )
    say("".join(lines))


def _agreed(count: int) -> bool:
    """Ask whether to go on. Raises UsageError where there is nobody to ask."""
    if not count:
        say("There is nothing to ask.\n")
        return False
    if not (sys.stdin and sys.stdin.isatty()):
        message = "there is nobody to ask whether to go on"
        raise UsageError(message, hint="portulan identify --yes")
    say(f"Ask {count} ports? [y/N] ")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


# -------------------------------------------------------------------------------------------------------- the answers


def _ask(wish: Wish, flags: Namespace) -> Iterator[tuple[Target, Identification]]:
    """Ask, and tell a terminal how far it is."""
    began = told = time.monotonic()
    tells = sys.stderr.isatty()
    options = {"blind": flags.blind, "consent": flags.consent, "near": wish.near, "transcript": flags.transcript}
    for done, found in enumerate(probe(wish.targets, open_map(), **options), 1):
        yield found
        now = time.monotonic()
        if tells and now - began > SILENT_S and now - told > SILENT_S / 4:
            told = now
            say(f"\r{done} of {len(wish.targets)} ports asked")
    if tells and told > began:
        say("\r\x1b[K")


def _print(answers: Answers, wish: Wish, flags: Namespace) -> None:
    if flags.format == "text":
        print_rows(HEADINGS, [_cells(target, found) for target, found in answers], Style(sys.stdout))
        if flags.transcript:
            sys.stdout.writelines(_told(target, found) for target, found in answers)
        return
    from portulan.cli import formats  # noqa: PLC0415  # text does without

    if flags.format == "json":
        document = {
            "schema": "portulan.identify/1",
            "target": wish.target,
            "results": [_element(target, found) for target, found in answers],
            "incomplete": plain(wish.incomplete),
        }
        formats.print_json(document, indent=2)
    elif flags.format == "jsonl":
        for target, found in answers:
            formats.print_json({"schema": "portulan.identify/1", **_element(target, found)})
    else:
        formats.print_csv(COLUMNS, [_flat(target, found) for target, found in answers])


def _element(target: Target, found: Identification) -> dict[str, object]:
    return {**plain(found), "address": target.address}


def _cells(target: Target, found: Identification) -> tuple[str, ...]:
    named = found.protocol is not None
    return (
        f"{found.port}/{found.transport}",
        target.address,
        found.protocol or f"({found.behaviour or 'nobody there'})",
        "/".join(found.layers),
        found.product or "",
        found.version or "",
        f"{found.confidence:.2f}" if named else "",
        "; ".join(found.reasons),
    )


def _flat(target: Target, found: Identification) -> tuple[object, ...]:
    cost = found.cost
    return (
        target.address,
        found.port,
        found.transport,
        found.protocol,
        "/".join(found.layers),
        found.product,
        found.version,
        found.confidence,
        found.behaviour,
        *((None,) * 4 if cost is None else (cost.connections, cost.bytes_sent, cost.bytes_received, cost.duration_ms)),
        "; ".join(found.reasons),
    )


def _told(target: Target, found: Identification) -> str:
    """Render what was said: bytes as text, with escapes for what is none."""
    import json  # noqa: PLC0415  # few ask for transcripts

    lines = [f"\n{found.port}/{found.transport} at {clean(target.address)}\n"]
    for exchange in json.loads(found.transcript or "{}").get("exchanges", ()):
        inside = " inside TLS" if exchange["tls"] else ""
        lines.append(f"  {exchange['probe'] or 'nothing asked'}{inside}, then {exchange['end']}\n")
        for mark, data in (("-->", exchange["sent"]), ("<--", exchange["data"])):
            if data:
                lines.append(f"    {mark} {clean(ascii(bytes.fromhex(data))[2:-1])}\n")
    return "".join(lines)
