"""One sentence that answers the question, made from the data of an answer and nothing else."""

from __future__ import annotations

from portulan.judge.evidence import describe_ports, describe_state, describe_use, is_context, is_narrow
from portulan.judge.rules import SEVERITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.answer import Answer
    from portulan.model import Entry, Redirect, Verdict

OPENINGS = {"ok": "As it should be", "look": "Worth a look", "investigate": "Investigate"}


def sentence(answer: Answer) -> str:
    """Say what is there and what to make of it, or what the map says where nothing is."""
    # A rule on many numbers is told below, and is no news of this one.
    verdicts = [verdict for verdict in answer.verdicts or () if not is_context(verdict.subject)]
    if verdicts:
        # A listener's connections belong to it and are not counted beside it.
        counted = [verdict for verdict in verdicts if verdict.subject.direction != "accept"] or verdicts
        worst = max(verdicts, key=lambda verdict: SEVERITY[verdict.attention])
        alike = sum(1 for verdict in counted if verdict.attention == worst.attention)
        count = f" ({alike} of {len(counted)} sockets)" if len(counted) > 1 and alike else ""
        return f"{OPENINGS[worst.attention]}{count}: {deciding(worst)}."
    where = ""
    if answer.verdicts is not None:
        where = "Nothing that this user may see" if answer.incomplete else "Nothing here"
        where += f" holds or dials {answer.query if answer.transport else answer.port}"
        owners = list(dict.fromkeys([claim.owner for claim in answer.claims or ()]))
        rules = [(seen.redirect, seen.transport) for seen in answer.observations or () if seen.redirect is not None]
        where += f", but {_say_range(*rules[0])}" if rules else ""
        where += f"; {', '.join(owners)} {'has' if len(owners) == 1 else 'have'} claimed it. " if owners else ". "
    return where + (say_entry(answer.entry, answer.transport) if answer.entry is not None else "")


def _say_range(redirect: Redirect, transport: str) -> str:
    """Say which range of ports a rule takes that has the number."""
    whose = " for connections from this machine" if redirect.from_here else ""
    return f"a rule on {describe_ports(redirect.ports)}/{transport} takes it{whose}"


def deciding(verdict: Verdict) -> str:
    """Return the statement that decided a verdict, with what the socket does."""
    evidence = next(
        (item for item in verdict.because if item.weight in {"decides", "contradicts"}), verdict.because[-1]
    )
    subject = verdict.subject
    if subject.direction == "connect" and subject.peer is not None:
        doing = f"dials {subject.peer.port}/{subject.transport}"
    else:
        doing = f"holds {subject.local.port}/{subject.transport}"
    if subject.redirect is not None and not subject.processes:
        return f"{doing.replace('holds ', '')}: {evidence.statement}"
    if evidence.kind == "claim":
        said = [item.statement for item in verdict.because if item.weight == "decides"]
        return f"{doing.replace('holds ', '')}: {'; '.join(said)}"
    process = next((item for item in verdict.because if item.kind == "process" and item.weight == "decides"), evidence)
    name = next((p.name for p in subject.processes if p.name), None)
    owner = f"{name} (pid {subject.processes[0].pid})" if name else subject.unit or "a socket"
    tail = process.statement if process is evidence or evidence.kind == "use" else evidence.statement
    return f"{owner} {doing}; {tail}"


def say_entry(entry: Entry, transport: str | None) -> str:
    """Say what the map makes of a number, in a line."""
    parts: dict[str, list[str]] = {}
    for on in entry.transports:
        if transport == on.transport or (transport is None and on.transport in {"tcp", "udp"}):
            parts.setdefault(describe_state(on), []).append(f"{entry.port}/{on.transport}")
    said = "; ".join(
        f"{' and '.join(where)} {what if len(where) == 1 else what.replace('is ', 'are ', 1)}"
        for what, where in parts.items()
    )
    uses = [use for use in entry.known_uses if use.relation != "malicious"]
    if not uses:
        return f"{said}. No use of it is known."
    # A pool says little of one number in it: it counts only where nothing else is cited, and then is called one.
    narrow = [use for use in uses if is_narrow(use)]
    told, where = (narrow, "it") if narrow else (uses, "such a range")
    others = len({use.product for use in told}) - 1
    more = f", and {others} other product{'s are' if others > 1 else ' is'} cited for {where}" if others else ""
    return f"{said}. {'' if narrow else 'Only wide ranges that have it are cited: '}{describe_use(told[0])}{more}."
