"""Answers as text for people: the page of a port, of a name, and its parts."""

from __future__ import annotations

from portulan.cli.terminal import clean, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from portulan.answer import Answer, NameAnswer
    from portulan.cli.terminal import Style
    from portulan.model import Assignment, Endpoint, Entry, KnownUse, Observation, Process, TransportEntry, Verdict

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
        parts.append(render_uses(entry.known_uses, style))
    if answer.observations is not None:
        heading = style.paint("Here, now", "heading")
        parts.append(f"{heading}\n{render_territory(answer, style)}")
        parts.append(render_by_hand(answer, style))
        parts.append(style.paint(wrap(CAVEAT, style.width, ""), "faint"))
    return "\n\n".join(part for part in parts if part) + "\n"


def worst(verdicts: Iterable[Verdict]) -> str:
    """Return the highest attention among verdicts; nothing to see is no reason for a colour."""
    levels = {verdict.attention for verdict in verdicts}
    return next((level for level in ("investigate", "look", "ok") if level in levels), "")


# ---------------------------------------------------------------------------------------------------------- the map


def render_map(answer: Answer, entry: Entry, style: Style) -> str:
    """Render what IANA's registry says, transport by transport; transports that say the same share a paragraph."""
    lines = [style.paint(f"The map: {entry.port}, {entry.tier} port", "heading") + f"  (IANA, {entry.snapshot})"]
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


def render_uses(uses: tuple[KnownUse, ...], style: Style) -> str:
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
        lines.append(f"  and {len(uses) - SHOWN_USES} more, all in: portulan lookup PORT --json")
    return "\n".join(lines)


# ----------------------------------------------------------------------------------------------------- the territory


def render_territory(answer: Answer, style: Style) -> str:
    """Render who is there, and, where verdicts were asked, what that means; numbers lead from one to the other."""
    observations = answer.observations or ()
    if not observations:
        seen = ", as far as this user may see" if answer.incomplete else ""
        return f"  no socket holds or dials {answer.query if answer.transport else answer.port}{seen}"
    verdicts: tuple[Verdict | None, ...] = answer.verdicts or (None,) * len(observations)
    meanings: dict[object, tuple[Verdict, int]] = {}
    alike: dict[tuple[int, object], list[Observation]] = {}
    for level in ("investigate", "look", "ok"):
        for found in answer.verdicts or ():
            if found.attention == level:
                meanings.setdefault(_meaning(found), (found, len(meanings) + 1))
    for observation, verdict in zip(observations, verdicts, strict=True):
        number = meanings[_meaning(verdict)][1] if verdict is not None else 0
        alike.setdefault((number, _likeness(observation)), []).append(observation)
    lines: list[str] = []
    for (number, _), group in alike.items():
        lines += _render_group(group, f"[{number}] " if number else "", style)
    if meanings:
        lines += ["", style.paint("What that means", "heading")]
        for meaning, number in meanings.values():
            lines += _render_verdict(meaning, number, style)
    return "\n".join(lines)


def _meaning(verdict: Verdict) -> object:
    """Return what two verdicts share if they need to be said only once."""
    said = tuple([item.statement for item in verdict.because if item.weight != "context"])
    return verdict.rule, said, verdict.notes


def _likeness(observation: Observation) -> object:
    """Return what sockets share that are one line of a page: connections of one program to one place."""
    place = observation.peer if observation.direction == "connect" else observation.local
    programs = {(process.executable, process.name, process.user) for process in observation.processes}
    several = observation.direction if observation.direction != "listen" else observation.inode
    return several, observation.transport, place, frozenset(programs), observation.processes_missing, observation.cgroup


def _render_group(group: list[Observation], mark: str, style: Style) -> list[str]:
    """Render sockets that are alike, and the processes that hold them."""
    first = group[0]
    verb = {"listen": "holds", "connect": "dials", "accept": "serves"}[first.direction]
    if first.direction == "connect" and first.peer is not None:
        where = f"{say_address(first.peer)} from " + _count(group, say_address(first.local), "connections")
    elif first.peer is not None:
        where = f"{say_address(first.local)} to " + _count(group, say_address(first.peer), "peers")
    else:
        where = say_address(first.local)
    extra = ["v6 only" if first.ipv6_only else "", f"on {first.interface}" if first.interface else ""]
    states = dict.fromkeys([observation.socket_state or "" for observation in group])
    state = ", ".join([text for text in (*states, *extra) if text])
    lines = [wrap(clean(f"{mark}{verb} {first.transport} {where} ({state})"), style.width, "  ", "    ")]

    owners: dict[object, list[Process]] = {}
    for observation in group:
        for process in observation.processes:
            same = owners.setdefault((process.executable, process.executable_status, process.name, process.user), [])
            if process not in same:
                same.append(process)
    for processes in owners.values():
        lines.append(wrap(clean(_say_processes(processes)), style.width, "      ", "  "))
        if processes[0].command_line is not None:
            words = " ".join(processes[0].command_line)
            shown = words if len(words) <= 200 else words[:197] + "..."  # noqa: PLR2004  # JSON has it whole
            lines.append(style.paint(wrap(clean(f"runs as: {shown}"), style.width, "      ", "  "), "faint"))
    if not owners:
        made_by = f", made by user {first.socket_user}" if first.socket_user else ""
        lines.append(clean(f"      owner: {first.processes_missing}{made_by}"))
    home = [
        f"unit {first.unit}" if first.unit else "",
        f"container {first.container[:12]}" if first.container else "",
        f"package {first.package}" if first.package else "",
    ]
    if any(home):
        lines.append(clean(f"      {', '.join([text for text in home if text])}"))
    return lines


def _count(group: list[Observation], one: str, many: str) -> str:
    return one if len(group) == 1 else f"{len(group)} {many}"


def _say_processes(processes: list[Process]) -> str:
    first = processes[0]
    pids = ", ".join([str(process.pid) for process in processes[:4]])
    more = f" and {len(processes) - 4} more" if len(processes) > 4 else ""  # noqa: PLR2004  # as many as are named
    began = min([process.started_at for process in processes if process.started_at], default=None)
    facts = [
        f"{first.name or 'a process'} (pid{'s' if len(processes) > 1 else ''} {pids}{more})",
        quoted(first.executable) if first.executable else "executable may not be read",
        f"user {first.user}" if first.user else "",
        f"since {local_time(began)}" if began else "",
        first.executable_status if first.executable_status not in {None, "present"} else "",
    ]
    return ", ".join([fact for fact in facts if fact])


def quoted(path: str) -> str:
    """Put a path into quotes where it might be taken for more than one word of the line."""
    return path if path.replace("/", "").replace("-", "").replace(".", "").replace("_", "").isalnum() else f'"{path}"'


def say_address(endpoint: Endpoint) -> str:
    """Write an endpoint as address:port, IPv6 in brackets (RFC 3986, section 3.2.2)."""
    address, port = endpoint.address, endpoint.port
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def local_time(moment: datetime) -> str:
    """Write a time as the clock on the wall shows it."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _render_verdict(verdict: Verdict, number: int, style: Style) -> list[str]:
    squats = f", squats on {verdict.squats_on}" if verdict.squats_on else ""
    judged = f"{verdict.attention}: {verdict.judgement}{squats} ({verdict.rule})"
    lines = [f"  [{number}] " + style.paint(clean(judged), verdict.attention)]
    said = [item.statement for item in verdict.because if item.weight != "context"]  # the page has said the rest above
    said += [f"note: {note.statement} ({note.rule})" for note in verdict.notes]
    said += [f"do: {verdict.advice}"] if verdict.advice else []
    return lines + [wrap(clean(statement), style.width, "      ", "  ") for statement in said]


def render_by_hand(answer: Answer, style: Style) -> str:
    """Render how to check the port by hand."""
    from portulan.cli.byhand import commands  # noqa: PLC0415  # the page alone needs it

    transports = (answer.transport,) if answer.transport else ("tcp", "udp")
    rows = commands(answer.port, transports)
    if not rows:
        return ""
    lines = [style.paint("Check by hand", "heading")]
    system = ""
    for row_system, transport, shows, command in rows:
        if row_system != system:
            system = row_system
            lines.append(f"  {system}" + (" (PowerShell as administrator)" if system == "Windows" else ""))
        lines.append(f"    {transport} {shows}  {command}")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------------- a name


def render_name(answer: NameAnswer, style: Style, *, territory: bool) -> str:
    """Render a service: the one page it has, or its assignments and what is on each of its ports."""
    if len(answer.results) == 1:
        return render_page(answer.results[0], style)
    lines = [style.paint(f"{clean(answer.query)}: {len(answer.results)} ports", "heading")]
    for row in answer.services:
        ports = "no port" if row.ports is None else f"{row.ports.first}-{row.ports.last}"
        if row.ports is not None and row.ports.first == row.ports.last:
            ports = str(row.ports.first)
        lines.append(f"  {ports}{'/' + row.transport if row.transport else ''}\n{_say_assignment(row, style)}")
    if territory and answer.results:
        heading = style.paint("Here, now", "heading")
        held = [render_territory(result, style) for result in answer.results if result.observations]
        lines.append("\n".join(["", heading, *(held or ["  no socket holds or dials one of its ports"])]))
    return "\n".join(lines) + "\n"
