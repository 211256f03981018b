"""What was seen of a socket, fact by fact, each with where it was read."""

from __future__ import annotations

from portulan.judge.evidence import SHOWN_BY, describe_ports, describe_redirect
from portulan.judge.program import LINUX, source_of
from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from portulan.model import Endpoint, Observation, Process

REACH = {
    "namespace": "not reachable from elsewhere",
    "host": "reachable within the machine",
    "outside": "reachable from other machines",
}
"""How to say who can reach a listener, packet filters aside."""
STATUS = {
    "deleted": "deleted since",
    "in-memory": "from memory, not from a file",
    "unseen": "a file that cannot be seen from here",
}
MOST = 4
"""So many of several pids or addresses are named, and the rest counted."""


class Fact(Value):
    """One thing that was seen: what it is about, what it is, and where it was read."""

    what: str
    value: str
    source: str


def facts_of(alike: Sequence[Observation]) -> tuple[Fact, ...]:
    """Return the facts of some sockets that are alike in all but their addresses."""
    first = alike[0]
    return (*_of_sockets(alike), *_of_programs(alike), *_of_home(first))


def _of_sockets(alike: Sequence[Observation]) -> Iterator[Fact]:
    first = alike[0]
    source = source_of(first)
    if first.redirect is not None:
        redirect = first.redirect
        where = SHOWN_BY.get(redirect.by, redirect.by)
        yield Fact(
            "rule", f"{redirect.by} takes {describe_ports(redirect.ports)}: {describe_redirect(redirect)}", where
        )
        if first.socket_state == "redirected":
            return
    does = "dials" if first.direction == "connect" else "holds"
    accepted = sum(seen.direction == "accept" for seen in alike)
    own = [seen for seen in alike if seen.direction != "accept"] or alike[:1]
    places = [_say_place(seen.peer if does == "dials" and seen.peer else seen.local) for seen in own]
    states = [seen.socket_state for seen in own if seen.socket_state]
    yield Fact(does, f"{first.transport} {_join(places)} ({_join(states) or 'no state'})", source)
    if accepted:
        yield Fact("serves", f"{accepted} connection{'s' if accepted > 1 else ''}", source)
    reach = [REACH[seen.reachable_from] for seen in alike if seen.reachable_from is not None]
    if reach:
        yield Fact("reach", _join(reach), "its addresses and network namespace")
    if first.network_namespace_name:
        yield Fact("namespace", first.network_namespace_name, "its network namespace")


def _of_programs(alike: Sequence[Observation]) -> Iterator[Fact]:
    """Yield who has the sockets: each program once, with its processes."""
    first = alike[0]
    if not any(seen.processes for seen in alike):
        if first.processes_missing is not None:
            yield Fact("owner", first.processes_missing, source_of(first))
        if first.socket_user is not None:
            yield Fact("made by", first.socket_user, source_of(first))
        return
    programs: dict[str | None, dict[int, Process]] = {}
    for seen in alike:
        for process in seen.processes:
            programs.setdefault(process.executable, {}).setdefault(process.pid, process)
    for processes in programs.values():
        yield from _of_program(first, list(processes.values()))


def _of_program(seen: Observation, processes: list[Process]) -> Iterator[Fact]:
    process = processes[0]
    pids = _join([str(one.pid) for one in processes])
    status = STATUS.get(process.executable_status or "")
    path = process.executable or "executable may not be read"
    yield Fact(
        "program",
        f"{process.name or 'a process'} (pid{'s' if len(processes) > 1 else ''} {pids}), {path}"
        + (f", {status}" if status else ""),
        source_of(seen, process),
    )
    began = min([one.started_at for one in processes if one.started_at], default=None)
    if began is not None:
        yield Fact("since", began.astimezone().strftime("%Y-%m-%d %H:%M:%S"), _proc(seen, process, "stat"))
    users = [one.user for one in processes if one.user]
    if users:
        yield Fact("user", _join(users), _proc(seen, process, ""))
    if process.executable is not None and process.executable_status == "present" and seen.system in LINUX:
        yield Fact("writable", process.executable_writable or "by root alone", "lstat of each part of its path")
    if process.package is not None or process.restart_needed is not None:
        yield Fact("package", _say_package(process), "the database of the packages")
    if process.script is not None:
        yield Fact("script", process.script, _proc(seen, process, "cmdline"))


def _of_home(seen: Observation) -> Iterator[Fact]:
    process = seen.processes[0] if seen.processes else None
    if seen.unit is not None:
        source = _proc(seen, process, "cgroup") if process is not None else f"cgroup:{seen.cgroup}"
        yield Fact("unit", seen.unit, source)
    if seen.activates is not None and seen.activates != seen.unit:
        yield Fact("starts", seen.activates, "the unit files of systemd")
    if seen.container is not None:
        known = [text for text in (seen.container_runtime, seen.container_image) if text]
        named = seen.container_name or seen.container[:12]
        yield Fact("container", named + (f" ({', '.join(known)})" if known else ""), "the files of its runtime")
    answer = seen.identification
    if answer is not None:
        spoken = answer.protocol or answer.behaviour or "nobody answered"
        of = " ".join([text for text in (answer.product, answer.version) if text])
        said = f"{spoken}{f' ({of})' if of else ''}: {'; '.join(answer.reasons)}" if answer.reasons else spoken
        yield Fact("answers", said, f"asked at {answer.port}/{answer.transport}")


def _say_package(process: Process) -> str:
    if process.package is None:
        return "none"
    matches = {True: ", and matches it", False: ", and differs from it", None: ""}[process.executable_intact]
    replaced = {"upgrade": "; upgraded since", "foreign": "; what lies there now differs from it", "same": "", None: ""}
    return f"{process.package}{matches}{replaced[process.replaced_by]}"


def _proc(seen: Observation, process: Process, file: str) -> str:
    """Return where a fact of a process was read."""
    if seen.perspective == "live" and seen.system in LINUX:
        return f"/proc/{process.pid}/{file}".rstrip("/")
    return source_of(seen, process)


def _say_place(endpoint: Endpoint) -> str:
    """Write an address and a number (RFC 3986, section 3.2.2)."""
    return f"[{endpoint.address}]:{endpoint.port}" if ":" in endpoint.address else f"{endpoint.address}:{endpoint.port}"


def _join(texts: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    more = f" and {len(distinct) - MOST} more" if len(distinct) > MOST else ""
    return ", ".join(distinct[:MOST]) + more
