"""The page of a port or a name, as text for people."""

from __future__ import annotations

from portulan.cli.terminal import clean, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from portulan.answer import Answer, NameAnswer
    from portulan.cli.terminal import Style
    from portulan.model import Assignment, Entry, KnownUse, TransportEntry, Verdict

SHOWN_USES = 8
"""A page shows this many known uses and says how many more there are; `lookup --format json` has all."""

CAVEAT = (
    "IANA: assignment of a port number does not in any way imply an endorsement of an application or product, and the "
    "fact that network traffic is flowing to or from a registered port does not mean that it is good traffic, nor that "
    "it necessarily corresponds to the assigned service."
)


def render_page(answer: Answer, style: Style) -> str:
    """Render the page of a port: verdict, map, known uses, who is there, what that means, how to check by hand."""
    parts = []
    if answer.observations is not None:
        from portulan.sentence import sentence  # noqa: PLC0415  # `lookup` and `who` do without

        parts.append(style.paint(wrap(clean(sentence(answer)), style.width, ""), worst(answer.verdicts or ())))
    entry = answer.entry
    if entry is not None:
        parts.append(render_map(answer, entry, style))
        parts.append(render_uses(answer, entry.known_uses, style))
    if answer.observations is not None:
        from portulan.cli.sockets import render_territory  # noqa: PLC0415  # `lookup` does without

        heading = style.paint("Here, now", "heading")
        parts.append(f"{heading}\n{render_territory(answer, style)}")
        if answer.claims:
            from portulan.cli.claimed import render_claims  # noqa: PLC0415  # only where somebody has claimed it

            parts.append(render_claims(answer, style))
        if answer.history is not None:
            from portulan.cli.history import render_history  # noqa: PLC0415  # only where there is a recording

            parts.append(render_history(answer.history, answer.recorded, style))
        parts.append(render_by_hand(answer, style))
        parts.append(style.paint(wrap(CAVEAT, style.width, ""), "faint"))
    return "\n\n".join(part for part in parts if part) + "\n"


def worst(verdicts: Iterable[Verdict]) -> str:
    """Return the highest attention among verdicts; nothing to see is no reason for a colour, nor a rule on a pool."""
    from portulan.judge.evidence import is_context  # noqa: PLC0415  # `lookup` does without

    levels = {verdict.attention for verdict in verdicts if not is_context(verdict.subject)}
    return next((level for level in ("investigate", "look", "ok") if level in levels), "")


# ---------------------------------------------------------------------------------------------------------- the map


def render_map(answer: Answer, entry: Entry, style: Style, *, last: int | None = None) -> str:
    """Render what IANA's registry says, transport by transport; transports that say the same share a paragraph.

    `last` is the last of the ports of which all this is true.
    """
    ports = (
        f"{entry.port}, {entry.tier} port" if last in {None, entry.port} else f"{entry.port}-{last}, {entry.tier} ports"
    )
    lines = [style.paint(f"The map: {ports}", "heading") + f"  (IANA, {entry.snapshot})"]
    said: dict[str, list[str]] = {}
    for on in entry.transports:
        if answer.transport in {None, on.transport}:
            said.setdefault(_render_transport(on, style), []).append(on.transport)
    for text, transports in said.items():
        lines.append(f"  {', '.join(transports)}: {text}")
    return "\n".join(lines)


def _render_transport(on: TransportEntry, style: Style) -> str:
    lines: list[str] = [on.state]
    lines += [_say_assignment(row, style) for row in on.assignments]
    for row in on.other_rows:
        texts = [row.service_name, row.description, row.assignment_notes, row.unauthorized_use_reported]
        said = "; ".join([" ".join(text.split()) for text in texts if text])
        span = f"{row.ports.first}-{row.ports.last}" if row.ports and row.ports.first != row.ports.last else ""
        if span or said.lower() not in {"unassigned", "reserved"}:
            lines.append(wrap(clean(f"{span} {said}".strip()), style.width, "    ", "  "))
    if on.grade is not None:
        reasons = "; ".join(on.grade.reasons)
        lines.append(wrap(clean(f"grade: {on.grade.registration}. {reasons}"), style.width, "    ", "  "))
        if on.grade.specification is not None:
            found = f"specification known to us: {on.grade.specification.title} {on.grade.specification.url}"
            lines.append(wrap(clean(found), style.width, "    ", "  "))
    return "\n".join(lines)


def _say_assignment(row: Assignment, style: Style) -> str:
    aliases = f" (alias {', '.join(row.aliases)})" if row.aliases else ""
    span = f" {row.ports.first}-{row.ports.last}" if row.ports and row.ports.first != row.ports.last else ""
    name = row.service_name or "no service name"
    described = [" ".join(line.split()) for line in (row.description or "").splitlines() if line.strip()]
    lines = [wrap(clean(f"{name}{aliases}{span}  {described[0] if described else ''}"), style.width, "    ", "  ")]
    lines += [wrap(clean(line), style.width, "      ", "  ") for line in described[1:]]
    facts = [
        f"assignee {row.assignee or 'none'}",
        f"contact {row.contact}" if row.contact and row.contact != row.assignee else "",
        f"registered {row.registration_date}" if row.registration_date else "no registration date",
        f"modified {row.modification_date}" if row.modification_date else "",
        f"reference {' '.join(row.reference.split())}" if row.reference else "no reference",
        f"service code {row.service_code}" if row.service_code else "",
    ]
    lines.append(wrap(clean("; ".join([fact for fact in facts if fact])), style.width, "      ", "  "))
    for text, label in ((row.unauthorized_use_reported, "unauthorized use"), (row.assignment_notes, "note")):
        if text:
            folded = " ".join(text.split())
            shown = folded if len(folded) <= 300 else folded[:297] + "..."  # noqa: PLR2004  # JSON has it whole
            lines.append(wrap(clean(f"{label}: {shown}"), style.width, "      ", "  "))
    return "\n".join(lines)


def render_uses(answer: Answer, uses: tuple[KnownUse, ...], style: Style) -> str:
    """Render the known uses, the best attested first, each with its source."""
    heading = style.paint("Known uses", "heading")
    if not uses:
        return f"{heading}\n  none"
    lines = [heading]
    for use in uses[:SHOWN_USES]:
        span = f"{use.ports.first}" if use.ports.first == use.ports.last else f"{use.ports.first}-{use.ports.last}"
        verb = "dials" if use.direction == "connect" else "holds"
        speaks = f", speaking {use.protocol}" if use.protocol else ""
        role = f": {use.role}" if use.role else ""
        default = "" if use.default else ", not by default"
        said = f"{use.product} {verb} {span}/{use.transport}{speaks}{role} ({use.relation}, {use.attestation}{default})"
        lines.append(wrap(clean(said), style.width, "  ", "    "))
        lines.append(style.paint(clean(f"      {use.citation.url}"), "faint"))
    if len(uses) > SHOWN_USES:
        number = f"{answer.port}/{answer.transport}" if answer.transport else answer.port
        lines.append(f"  and {len(uses) - SHOWN_USES} more, all in: portulan lookup {number} --json")
    return "\n".join(lines)


def render_by_hand(answer: Answer, style: Style) -> str:
    """Render how to check the port by hand."""
    from portulan.byhand import commands  # noqa: PLC0415  # the page alone needs it

    transports = (answer.transport,) if answer.transport else ("tcp", "udp")
    rows = commands(answer.port, transports)
    lines = [style.paint("Check by hand", "heading")]
    system = ""
    for row_system, transport, shows, command in rows:
        if row_system != system:
            system = row_system
            lines.append(f"  {system}" + (" (PowerShell as administrator)" if system == "Windows" else ""))
        lines.append(f"    {transport} {shows:15}  {command}")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------------- a name


def render_name(answer: NameAnswer, style: Style, *, territory: bool) -> str:
    """Render a service: the one page it has, or what is the same for each run of its ports and what is there."""
    if len(answer.results) == 1:
        return render_page(answer.results[0], style)
    count = f"{len(answer.results)} ports" if answer.results else "a service without a port"
    parts = [style.paint(clean(f"{answer.query}: {count}"), "heading")]
    if not answer.results:
        parts += [_say_assignment(row, style) for row in answer.services]
        return "\n".join(parts) + "\n"
    runs: list[list[Answer]] = []
    for result in answer.results:
        if runs and runs[-1][-1].port + 1 == result.port and _rows_of(runs[-1][-1]) == _rows_of(result):
            runs[-1].append(result)
        else:
            runs.append([result])
    for run in runs:
        if run[0].entry is not None:
            parts.append(render_map(run[0], run[0].entry, style, last=run[-1].port))
    if territory:
        from portulan.cli.sockets import render_territory  # noqa: PLC0415  # `lookup` does without

        held = [render_territory(result, style) for result in answer.results if result.observations]
        here = held or ["  no socket holds or dials one of its ports"]
        parts.append("\n".join([style.paint("Here, now", "heading"), *here]))
    parts.append(f"Known uses, and how to check by hand: portulan {answer.results[0].port}")
    parts.append(style.paint(wrap(CAVEAT, style.width, ""), "faint"))
    return "\n\n".join(parts) + "\n"


def _rows_of(answer: Answer) -> object:
    """Return what IANA's rows say of a port; known uses may differ from port to port."""
    return answer.entry and [(on.assignments, on.other_rows) for on in answer.entry.transports]
