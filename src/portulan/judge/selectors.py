"""The selectors of a policy's rules, each a test of a socket: it holds, fails (False), or cannot be told (None).

What a file says of a program holds for every process that has the socket, the service manager aside, since one foreign
owner is enough. An executable's path counts where it can be seen from here: whoever has mounts of his own chooses what
his files are called, and is told by image, unit, name or user.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from functools import lru_cache

from portulan.judge.fingerprints import scope_of
from portulan.judge.program import SYSTEMD, is_outermost
from portulan.model import is_of_windows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from portulan.judge.policy import Rule
    from portulan.model import Note, Observation, Process

    Test = Callable[[Observation, Sequence[Note]], bool | None]

SCOPES: dict[str, frozenset[str]] = {
    "loopback": frozenset({"loopback"}),
    "private": frozenset({"loopback", "private"}),
    "any": frozenset({"loopback", "private", "any"}),
}
"""What each word for addresses lets be: that much, and what fewer can reach."""

NOT_TOLD = frozenset({"not permitted", "other namespace", "closed before it could be read", "not recorded", None})
"""Why there is no process in sight although there may be one."""

USERS = "/user.slice/"
"""The control groups of what users start, their own units among it (systemd.special(7))."""

KEPT = 4_096
"""So many addresses are kept as they were read."""


def selectors(
    rule: Rule, is_host: Callable[[str], bool] | None, names: Mapping[str, frozenset[str]]
) -> dict[str, Test]:
    """Return the tests of what a rule selects by, beside number, transport and direction, by their keys.

    `is_host` tells the hosts that it is about, if it is about some; `names` are addresses of hosts that rules dial.
    """
    tests: dict[str, Test] = {}
    if is_host is not None:
        tests["host"] = _host(is_host)
    if rule.unit:
        tests["unit"] = _unit(rule.unit, of_user=bool(rule.user), of_image=bool(rule.image))
    for key, make in _BY_KEY.items():
        wanted = getattr(rule, key)
        if wanted:
            tests[key] = make(wanted)
    if rule.peer:
        tests["peer"] = _peer(rule.peer, names)
    if rule.protocol:
        tests["protocol"] = _protocol(rule.protocol, forbids=rule.effect == "forbid")
    if rule.note:
        tests["note"] = _note(rule.note)
    return tests


def host_pattern(wanted: Sequence[str]) -> Callable[[str], bool]:
    """Return what `pattern` does, for the names of hosts, in any case (RFC 4343)."""
    is_wanted = pattern([text.lower() for text in wanted])
    return lambda host: is_wanted(host.lower())


def pattern(wanted: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a text is one of some, or as one of some with `*`, `?` and `[...]` (fnmatch)."""
    literal = frozenset([text for text in wanted if not set("*?[").intersection(text)])
    others = [fnmatch.translate(text) for text in wanted if text not in literal]
    if not others:
        return literal.__contains__
    fits = re.compile("|".join(others)).match
    return lambda text: text in literal or fits(text) is not None


def _of_paths(wanted: Sequence[str]) -> Callable[[str], bool]:
    """Return what `pattern` does, for paths: those of Windows in any case, as it takes them itself."""
    is_wanted, is_wanted_on_windows = pattern(wanted), pattern([text.lower() for text in wanted])
    return lambda path: is_wanted_on_windows(path.lower()) if is_of_windows(path) else is_wanted(path)


def _host(is_wanted: Callable[[str], bool]) -> Test:
    return lambda observation, _notes: None if observation.host is None else is_wanted(observation.host)


def _address(wanted: Sequence[str]) -> Test:
    is_within, _names = _addresses(wanted)
    return lambda observation, _notes: is_within(observation.local.address)


def _peer(wanted: Sequence[str], known: Mapping[str, frozenset[str]]) -> Test:
    is_within, names = _addresses(wanted)
    looked_up = frozenset().union(*[known.get(name, frozenset()) for name in names])
    all_known = all(known.get(name) for name in names)

    def test(observation: Observation, _notes: Sequence[Note]) -> bool | None:
        if observation.peer is None:
            return None
        address = observation.peer.address
        if is_within(address) or address in looked_up or address.casefold() in names:
            return True
        return False if all_known and read_address(address) is not None else None

    return test


def _addresses(wanted: Sequence[str]) -> tuple[Callable[[str], bool], frozenset[str]]:
    """Return what tells whether an address is one that is wanted, and the names of hosts among those."""
    scopes = frozenset().union(*[SCOPES.get(word, frozenset()) for word in wanted])
    networks = [network for word in wanted if (network := read_network(word)) is not None]
    names = frozenset([word.casefold() for word in wanted if word not in SCOPES and read_network(word) is None])

    def is_within(address: str) -> bool:
        if scope_of(address) in scopes:
            return True
        if not networks:
            return False
        read = read_address(address)
        # Whoever holds every address holds more than a network, and is in that of all addresses.
        return read is not None and any(read in network for network in networks if network.version == read.version)

    return is_within, names


@lru_cache(KEPT)
def read_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address without its interface; None for a name and for what is none."""
    try:
        return ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None


def read_network(word: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return a network, of one address or many; None for a name."""
    try:
        return ipaddress.ip_network(word, strict=False)
    except ValueError:
        return None


def _executable(wanted: Sequence[str]) -> Test:
    is_wanted = _of_paths(wanted)

    def test(process: Process, _live: bool) -> bool | None:  # noqa: FBT001  # one of four of this form
        if process.executable is None:
            return None
        return process.executable_status != "unseen" and is_wanted(process.executable)

    return _of_processes(test)


def _script(wanted: Sequence[str]) -> Test:
    is_wanted = _of_paths(wanted)

    def test(process: Process, live: bool) -> bool | None:  # noqa: FBT001  # as above
        if process.script is None:
            return False if live and process.executable is not None else None
        return is_wanted(process.script)

    return _of_processes(test)


def _name(wanted: Sequence[str]) -> Test:
    is_wanted = pattern(wanted)
    return _of_processes(lambda process, _live: None if process.name is None else is_wanted(process.name))


def _package(wanted: Sequence[str]) -> Test:
    is_wanted = pattern(wanted)

    def test(process: Process, live: bool) -> bool | None:  # noqa: FBT001  # as above
        if process.package is None:
            return False if live and process.executable is not None else None
        return is_wanted(process.package)

    of_processes = _of_processes(test)

    def of_observation(observation: Observation, notes: Sequence[Note]) -> bool | None:
        return is_wanted(observation.package) if observation.package is not None else of_processes(observation, notes)

    return of_observation


def _of_processes(test: Callable[[Process, bool], bool | None]) -> Test:
    """Return a test that holds where it does for every process; what is not there is none, unless it cannot be seen."""

    def of_all(observation: Observation, _notes: Sequence[Note]) -> bool | None:
        owners = owners_of(observation)
        if not owners:
            return None if observation.processes_missing in NOT_TOLD else False
        live = observation.perspective == "live"
        told = [test(process, live) for process in owners]
        return False if False in told else None if None in told else True

    return of_all


def owners_of(observation: Observation) -> Sequence[Process]:
    """Return the processes that have a socket; the service manager only where it alone has it."""
    owners = observation.processes
    if len(owners) > 1:
        return [process for process in owners if process.executable not in SYSTEMD] or owners
    return owners


def is_of_machine(observation: Observation, *, of_user: bool, of_image: bool) -> bool:
    """Tell whether the machine's own manager has named a unit, or who has may: a user, or what is in an image.

    A user's own manager runs units of any name, and so does one in a container.
    """
    group = observation.cgroup
    if group is None or (of_image and observation.container_image is not None):
        return True
    return of_user if group.startswith(USERS) else is_outermost(group)


def _unit(wanted: Sequence[str], *, of_user: bool, of_image: bool) -> Test:
    """Return the test of a unit, which counts where it is the machine's, or where its user or image is named too."""
    is_wanted = pattern(wanted)

    def test(observation: Observation, _notes: Sequence[Note]) -> bool | None:
        unit, activated = observation.unit, observation.activates
        if (unit is not None and is_wanted(unit)) or (activated is not None and is_wanted(activated)):
            return is_of_machine(observation, of_user=of_user, of_image=of_image)
        if unit is not None or activated is not None:
            return False
        seen = observation.cgroup is not None or bool(observation.processes)
        return False if seen and observation.perspective == "live" else None

    return test


def _image(wanted: Sequence[str]) -> Test:
    is_wanted = pattern(wanted)

    def test(observation: Observation, _notes: Sequence[Note]) -> bool | None:
        if observation.container_image is not None:
            return is_wanted(observation.container_image)
        seen = bool(observation.processes) or observation.processes_missing == "no process holds it"
        return False if observation.container is None and seen and observation.perspective == "live" else None

    return test


def _user(wanted: Sequence[str]) -> Test:
    """Return the test of the user who made a socket, or of all who run what has it."""
    is_wanted = pattern(wanted)
    of_processes = _of_processes(lambda process, _live: None if process.user is None else is_wanted(process.user))

    def test(observation: Observation, notes: Sequence[Note]) -> bool | None:
        if observation.socket_user is not None and is_wanted(observation.socket_user):
            return True
        told = of_processes(observation, notes)
        return False if told is None and observation.socket_user is not None else told

    return test


def _protocol(wanted: Sequence[str], *, forbids: bool) -> Test:
    """Return the test of what answers. Where nobody asked, nothing speaks against what is expected, or for a ban."""
    names = frozenset(wanted)

    def test(observation: Observation, _notes: Sequence[Note]) -> bool:
        answer = observation.identification
        if answer is None or (answer.protocol is None and answer.behaviour is None):
            return not forbids
        return not names.isdisjoint((answer.protocol, *answer.service_names))

    return test


def _note(wanted: Sequence[str]) -> Test:
    codes = frozenset(wanted)
    return lambda _observation, notes: any(note.rule in codes for note in notes)


_BY_KEY: dict[str, Callable[[Sequence[str]], Test]] = {
    "address": _address,
    "image": _image,
    "executable": _executable,
    "script": _script,
    "name": _name,
    "package": _package,
    "user": _user,
}
"""What makes the test of each key; what is asked of the socket comes before what is asked of each process."""
