"""What a socket, or an episode of a recording, tells of its kind: the number, the programs, and each aspect of them."""

from __future__ import annotations

from functools import lru_cache

from portulan.judge.fingerprints import scope_of
from portulan.judge.program import SYSTEMD
from portulan.judge.weigh import ENDING_STATES
from portulan.model import Episode, base_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal

    from portulan.judge.fingerprints import AddressScope
    from portulan.model import Direction, Observation, Process, Redirect, Transport

    Seen = Observation | Episode
    Holding = Literal["socket", "bound", "redirect"]
    Key = tuple[Direction, Transport, int, Holding]
    """Direction, transport, number, and whether a socket has it, one that is only bound, or a rule takes it."""
    Program = tuple[str | None, str | None]
    """The path of an executable, or else a name, or neither."""
    Told = tuple[frozenset[str], ...]
    """What was seen of each aspect; an empty set where that cannot be told."""
    Owned = tuple[Program, frozenset[str], frozenset[str], frozenset[str], frozenset[str]]
    """A program with the scripts, users, packages and names of its processes."""

ASPECTS = (
    "address", "executable", "script", "user", "socket_user", "unit", "package", "image", "protocol", "product",
    "version", "redirect", "name",
)  # fmt: skip
"""What can change. `executable` is here what systemd has started for a socket that it holds."""

FIRST_EPHEMERAL = 32_768
"""Linux gives those who dial numbers from here to 60999, others 49152 to 65535 (ip-sysctl; RFC 6335, section 6)."""
NO_CONTAINER = "no container"

_UNTOLD: frozenset[str] = frozenset()
_DELETED = " (deleted)"


def key_of(seen: Seen) -> Key | None:
    """Return what is held or dialled; None where that is not told, and for the connections of listeners.

    Nor does a dial count that has ended: the kernel keeps it for a minute longer than its program, and tells none.
    """
    if isinstance(seen, Episode):
        port = seen.local_port if seen.direction == "listen" else seen.peer_port
        return None if port is None else (seen.direction, seen.transport, port, "socket")
    if seen.direction == "listen":
        holding: Holding = "redirect" if seen.socket_state == "redirected" else "socket"
        bound = seen.socket_state == "bound" and seen.transport != "udp"
        return seen.direction, seen.transport, seen.local.port, "bound" if bound else holding
    if seen.peer is None or (seen.socket_state in ENDING_STATES and not seen.processes):
        return None
    return seen.direction, seen.transport, seen.peer.port, "socket"


def programs_of(seen: Seen) -> Sequence[tuple[Program, Told]]:
    """Return each program that has a socket, with what the socket tells of it; one that is not known, if none is."""
    if isinstance(seen, Episode):
        return _programs_of_episode(seen)
    programs, started = _owners(seen.processes)
    answer = seen.identification
    before = (_one(_scope_told(seen)), started)
    behind = (_one(seen.socket_user), _one(_lasting(seen.activates or seen.unit)))
    rest = (
        _one(_image_of(seen)), _one(answer and answer.protocol), _one(answer and answer.product),
        _one(answer and answer.version), _one(seen.redirect and _target_of(seen.redirect)),
    )  # fmt: skip
    return [
        (program, (*before, scripts, users, *behind, packages or _one(seen.package), *rest, names))
        for program, scripts, users, packages, names in programs
    ]


def _programs_of_episode(seen: Episode) -> Sequence[tuple[Program, Told]]:
    path, name = _without_mark(seen.executable), seen.process_name
    address = seen.peer_address if seen.direction == "connect" else seen.local_address
    told = (
        _one(address and scope_of(address)), _UNTOLD, _UNTOLD, _one(seen.user), _UNTOLD, _one(_lasting(seen.unit)),
        *(_UNTOLD,) * 6, _called(name, path),
    )  # fmt: skip
    return [((path, None if path else name), told)]


def is_client(seen: Seen) -> bool:
    """Tell whether the kernel may have chosen the number that a socket holds: UDP's clients hold one as servers do.

    A server is what the kernel itself has (WireGuard), what systemd holds for a service, and what answers.
    """
    key = key_of(seen)
    if key is None or key[0] != "listen" or key[2] < FIRST_EPHEMERAL or seen.processes_missing == "no process holds it":
        return False
    if isinstance(seen, Episode):
        return seen.transport == "udp"
    answers = was_asked(seen) or (seen.identification is not None and seen.identification.protocol is not None)
    return (seen.transport == "udp" or key[3] == "bound") and not answers and seen.activates is None


def was_asked(seen: Seen) -> bool:
    """Tell whether somebody asked from elsewhere, and saw no socket but that something answers, as scanners do."""
    if isinstance(seen, Episode):
        return False
    return seen.socket_state is None and not seen.processes and seen.perspective != "declared"


def is_manager(program: Program) -> bool:
    """Tell whether a program is systemd, which holds sockets for others and goes on to when those have started."""
    path, name = program
    return name == "systemd" if path is None else path in SYSTEMD


@lru_cache(1_024)  # the sockets of a process share it
def _owners(processes: tuple[Process, ...]) -> tuple[list[Owned], frozenset[str]]:
    """Return the programs that have a socket, and the executables of those that have it of systemd.

    Whether those were started already is chance, so systemd alone has what it holds.
    """
    managers = [one for one in processes if is_manager((_without_mark(one.executable), one.name))]
    holders = managers or processes
    owned: dict[Program, list[Process]] = {} if holders else {(None, None): []}
    by_path = any(process.executable for process in holders)
    for process in holders:
        path = _without_mark(process.executable)
        if path or not by_path:
            owned.setdefault((path, None if path else process.name), []).append(process)
    programs = [
        (
            program,
            _set([process.script for process in same]),
            _set([process.user for process in same]),
            _set([process.package for process in same]),
            frozenset[str]().union(*[_called(process.name, process.executable) for process in same]),
        )
        for program, same in owned.items()
    ]
    others = [_without_mark(process.executable) for process in processes if managers and process not in managers]
    return programs, _set(others)


def _scope_told(seen: Observation) -> AddressScope | None:
    """Return the scope of a socket's address, or of the address that it dials.

    None where somebody was asked: who answered at one address may hold others.
    """
    if seen.direction == "connect":
        return None if seen.peer is None else scope_of(seen.peer.address)
    return None if was_asked(seen) else scope_of(seen.local.address)


def _image_of(seen: Observation) -> str | None:
    """Return the image of a container, or that there is none, where the record tells of containers."""
    if seen.container is None and seen.container_image is None and seen.network_namespace is not None:
        return NO_CONTAINER
    return seen.container_image


def _target_of(redirect: Redirect) -> str:
    """Return where a port is passed on to; private addresses are given to containers anew each time they start."""
    port = redirect.port or "same"
    if redirect.address is None:
        return f"here:{port}"
    scope = scope_of(redirect.address)
    return f"{redirect.address if scope == 'any' else scope}:{port}"


def _lasting(unit: str | None) -> str | None:
    """Return a unit that is called the same tomorrow; not so scopes, systemd-run's and a desktop's (app-ID@RANDOM)."""
    if unit is None or unit.endswith(".scope") or unit.startswith("run-"):
        return None
    return None if unit.startswith("app-") and "@" in unit else unit


def _without_mark(path: str | None) -> str | None:
    return path.removesuffix(_DELETED) if path else None


def _called(name: str | None, path: str | None) -> frozenset[str]:
    """Return what a process is called: by its own name, and by its file's.

    netstat has the first word of its command line instead, cut: a title (`nginx: master p`) begins with the name, and
    what has a slash is no name (`.venv/bin/pyth`).
    """
    title = name.partition(": ")[0] if name else None
    names = (None if title and "/" in title else title, path and base_name(path))
    return _set([said and said.casefold().removesuffix(".exe") for said in names])


def _set(values: Iterable[str | None]) -> frozenset[str]:
    return frozenset([value for value in values if value])


@lru_cache(4_096)
def _one(value: str | None) -> frozenset[str]:
    return frozenset([value]) if value else _UNTOLD
