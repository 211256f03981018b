"""Who holds or dials a port, and what that means, as text."""

from __future__ import annotations

from portulan.cli.terminal import clean, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from portulan.answer import Answer
    from portulan.cli.terminal import Style
    from portulan.model import Endpoint, Evidence, Identification, Observation, Process, Redirect, Verdict


REACH = {"namespace": "not reachable from elsewhere", "host": "reachable within the machine", "outside": "reachable"}
"""How to say who can reach a listener."""

_STATUS = {"deleted": "deleted", "in-memory": "in-memory", "unseen": "file not to be seen from here"}
"""How to say that a program is not where its path leads."""


def render_territory(answer: Answer, style: Style) -> str:
    """Render who is there, and, where verdicts were asked, what that means; numbers lead from one to the other."""
    observations = answer.observations or ()
    if not observations:
        seen = ", as far as this user may see" if answer.incomplete else ""
        return f"  no socket holds or dials {answer.query if answer.transport else answer.port}{seen}"
    verdicts: tuple[Verdict | None, ...] = answer.verdicts or (None,) * len(observations)
    meanings: dict[object, tuple[Verdict, int]] = {}
    alike: dict[tuple[int, object], list[Observation]] = {}
    for found in _ordered(answer.verdicts) if answer.verdicts else ():
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


def _ordered(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Put what deserves most attention first, and last the rules on so many ports that they say little of this one."""
    from portulan.judge.evidence import is_context  # noqa: PLC0415  # `who` does without
    from portulan.judge.rules import SEVERITY  # noqa: PLC0415  # as above

    return sorted(verdicts, key=lambda found: (is_context(found.subject), -SEVERITY[found.attention]))


def _meaning(verdict: Verdict) -> object:
    """Return what two verdicts share if they need to be said only once."""
    said = tuple([item.statement for item in verdict.because if _is_news(item)])
    return verdict.rule, said, verdict.advice, verdict.notes


def _is_news(item: Evidence) -> bool:
    """Tell whether the page has not said it above: what the map says, and where programs come from."""
    return item.weight != "context" and (item.kind, item.weight) != ("process", "supports")


def _likeness(observation: Observation) -> object:
    """Return what sockets share that are one line of a page: connections of one program to one place."""
    place = observation.peer if observation.direction == "connect" else observation.local
    programs = {(process.executable, process.name, process.user, process.script) for process in observation.processes}
    several = observation.direction if observation.direction != "listen" else observation.inode
    where = observation.network_namespace_name, observation.cgroup, observation.redirect
    return several, observation.transport, place, frozenset(programs), observation.processes_missing, where


def _render_group(group: list[Observation], mark: str, style: Style) -> list[str]:
    """Render sockets that are alike, and the processes that hold them."""
    first = group[0]
    taken = first.redirect is not None and not first.processes  # by a rule, and by no socket
    verb = "takes" if taken else {"listen": "holds", "connect": "dials", "accept": "serves"}[first.direction]
    if first.direction == "connect" and first.peer is not None:
        where = f"{say_address(first.peer)} from " + _count(group, say_address(first.local), "connections")
    elif first.peer is not None:
        where = f"{say_address(first.local)} to " + _count(group, say_address(first.peer), "peers")
    else:
        where = say_address(first.local)
    extra = [
        *_say_rule(first.redirect),
        "v6 only" if first.ipv6_only else "",
        f"on {first.interface}" if first.interface else "",
        REACH.get(first.reachable_from or "", ""),
        f"in the network namespace {first.network_namespace_name}" if first.network_namespace_name else "",
    ]
    states = dict.fromkeys([observation.socket_state or "" for observation in group])
    state = ", ".join([text for text in (*states, *extra) if text])
    lines = [wrap(clean(f"{mark}{verb} {first.transport} {where} ({state})"), style.width, "  ", "    ")]

    owners: dict[object, list[Process]] = {}
    for observation in group:
        for process in observation.processes:
            program = process.executable, process.executable_status, process.replaced_by
            same = owners.setdefault((program, process.name, process.user, process.script), [])
            if process not in same:
                same.append(process)
    for processes in owners.values():
        lines += _render_processes(processes, style)
    if not owners and not taken:
        lines += _say_missing(first, style)
    if first.identification is not None:
        lines.append(wrap(clean(say_answer(first.identification)), style.width, "      ", "  "))
    return lines + _render_home(first, style)


def say_answer(found: Identification) -> str:
    """Say what answered when it was asked."""
    reasons = "; ".join(found.reasons)
    if found.protocol is None:
        return f"asked: {reasons}"
    product = " ".join([text for text in (found.product, found.version) if text])
    layers = " over ".join([layer for layer in reversed(found.layers) if layer != found.protocol])
    said = f"asked, it speaks {found.protocol}" + (f" ({product})" if product else "") + f" over {layers}"
    return f"{said}: {reasons}; confidence {found.confidence:.2f}"


def _say_rule(redirect: Redirect | None) -> Iterator[str]:
    """Say which ports a rule takes beside this one, and for whom."""
    if redirect is None:
        return
    from portulan.judge.evidence import describe_ports  # noqa: PLC0415  # few ports are passed on

    if redirect.ports.first != redirect.ports.last:
        yield f"one of {describe_ports(redirect.ports)}"
    if redirect.from_here:
        yield "for connections from this machine"


def _render_home(first: Observation, style: Style) -> list[str]:
    """Render what a socket belongs to, and what is behind it."""
    home = [
        f"unit {first.unit}" if first.unit else "",
        say_container(first),
        f"package {first.package}" if first.package and not any(process.package for process in first.processes) else "",
    ]
    lines = []
    if any(home):
        lines.append(clean(f"      {', '.join([text for text in home if text])}"))
    if first.activates and first.activates != first.unit:
        lines.append(clean(f"      systemd starts {first.activates} for it"))
    if first.redirect is not None:
        from portulan.judge.evidence import describe_redirect  # noqa: PLC0415  # few ports are passed on

        said = f"{describe_redirect(first.redirect)} by {first.redirect.by}: {first.redirect.rule}"
        lines.append(wrap(clean(said), style.width, "      ", "  "))
    return lines


def _say_missing(observation: Observation, style: Style) -> list[str]:
    """Say why no process is known, and where a socket may be that is on its way from one to another."""
    made_by = f", made by user {observation.socket_user}" if observation.socket_user else ""
    lines = [clean(f"      owner: {observation.processes_missing}{made_by}")]
    if observation.in_flight:
        waiting = ", ".join([f"{process.name} (pid {process.pid})" for process in observation.in_flight[:4]])
        said = clean(f"it may be among files sent and not yet taken by {waiting}")
        lines.append(wrap(said, style.width, "      ", "  "))
    return lines


def _render_processes(processes: list[Process], style: Style) -> list[str]:
    """Render processes that are alike, and where their program comes from."""
    first = processes[0]
    said = [_say_processes(processes), say_origin(first), _say_script(first)]
    lines = [wrap(clean(text), style.width, "      ", "  ") for text in said if text]
    if first.command_line is not None:
        words = " ".join(first.command_line)
        shown = words if len(words) <= 200 else words[:197] + "..."  # noqa: PLR2004  # JSON has it whole
        lines.append(style.paint(wrap(clean(f"runs as: {shown}"), style.width, "      ", "  "), "faint"))
    return lines


def say_container(observation: Observation) -> str:
    """Name the container of a socket, with what is known of it."""
    if observation.container is None:
        return ""
    known = [fact for fact in (observation.container_runtime, observation.container_image) if fact]
    return f"container {observation.container_name or observation.container[:12]}" + (
        f" ({', '.join(known)})" if known else ""
    )


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
        _STATUS.get(first.executable_status or "", ""),
    ]
    return ", ".join([fact for fact in facts if fact])


def say_origin(process: Process) -> str:
    """Say which package a program is of and whether it is as shipped; nothing where nobody asked."""
    if process.package is None:
        asked = process.restart_needed is not None and process.executable_status == "present"
        return "in no package" if asked else ""
    matches = {True: ", matches it", False: ", differs from it", None: ""}[process.executable_intact]
    replaced = {
        "same": ", replaced by the same file",
        "upgrade": ", restart needed: upgraded since",
        "foreign": ", but what lies there now differs from it",
        None: ", restart needed: replaced since" if process.restart_needed else "",
    }[process.replaced_by]
    return f"package {process.package}{matches}{replaced}"


def _say_script(process: Process) -> str:
    """Say which script an interpreter's command line names; nothing where it names none."""
    if process.script is None:
        return ""
    package = f"package {process.script_package}" if process.script_package else "in no package"
    return f"script {quoted(process.script)}, {package}, by its command line"


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
    said = [item.statement for item in verdict.because if _is_news(item)]
    said += [f"note: {note.statement} ({note.rule})" for note in verdict.notes]
    said += [f"do: {verdict.advice}"] if verdict.advice else []
    return lines + [wrap(clean(statement), style.width, "      ", "  ") for statement in said]
