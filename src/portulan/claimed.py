"""The claims in force, joined with this machine: whose a socket on a claimed port is.

A hold is its holder's and of those whom that started. A reservation is of a project, and so of each process that works
in a repository of it, for the user whose ledger that is. What may not be seen is neither held against anybody nor
excused: then it is not told whose a socket is.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.coordinate.holders import boot_id
from portulan.coordinate.places import places_to_look_at
from portulan.coordinate.reading import read_claims
from portulan.judge.program import is_system_unit, source_of
from portulan.model import Incomplete, Standing, Value
from portulan.observe.kin import folder_of, group_of, is_of, user_of
from portulan.observe.project import repository_of

if TYPE_CHECKING:
    from portulan.coordinate.reading import InForce
    from portulan.model import Claim, Holder, Observation, Process

OWN, ANOTHERS, UNTOLD = True, False, None
ROOT = 0
TRANSPORTS = frozenset({"tcp", "udp"})
"""A claim of one is a claim of both, and of no other."""


class _Told(Value):
    """Whether something is the claimant's, by what, and where that was read; not `seen` where that is refused."""

    own: bool | None
    statement: str
    source: str
    seen: bool = True


class Claimed:
    """The claims in force, for one look at this machine.

    Call it with a socket for what each claim on its number is to it. `incomplete` is what could not be read of ledgers,
    and of processes so far.
    """

    def __init__(self, claims: tuple[InForce, ...], incomplete: tuple[Incomplete, ...] = ()) -> None:
        """Sort the claims by number."""
        self._by_number: dict[int, list[InForce]] = {}
        for one in claims:
            for number in range(one.claim.port, one.claim.port + one.claim.size):
                self._by_number.setdefault(number, []).append(one)
        self._unread = incomplete
        self._hidden: dict[int, None] = {}
        self._told: dict[tuple[int, int], _Told] = {}

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What was refused."""
        if not self._hidden:
            return self._unread
        what = "whose a claimed port is" if len(self._hidden) == 1 else f"whose {len(self._hidden)} claimed ports are"
        why = "the working directory of who holds it may not be read"
        return (*self._unread, Incomplete(what, why, "run as that user, or as root"))

    def on(self, port: int) -> tuple[Claim, ...]:
        """Return the claims on a number."""
        return tuple([one.claim for one in self._by_number.get(port, ())])

    def __call__(self, seen: Observation) -> tuple[Standing, ...]:
        """Return what each claim on the number of a socket of this machine is to it.

        A claim is on the numbers of this network namespace, of those who hold them and not of those who dial.
        """
        claims = self._by_number.get(seen.local.port)
        if claims is None or seen.direction != "listen" or seen.transport not in TRANSPORTS:
            return ()
        if seen.perspective != "live" or seen.network_namespace_name is not None:
            return ()
        return tuple([self._stand(one, seen) for one in claims])

    def _stand(self, one: InForce, seen: Observation) -> Standing:
        """Tell what a claim is to a socket: one process that is another's is enough, and one that is not seen."""
        told = [self._of_process(one, process, seen) for process in seen.processes] or [_by_socket(one, seen)]
        worst = min(told, key=lambda each: (each.own is not ANOTHERS, each.seen, each.own is UNTOLD))
        return Standing(one.claim, worst.own, worst.statement, worst.source, one.place)

    def _of_process(self, one: InForce, process: Process, seen: Observation) -> _Told:
        key = id(one), process.pid
        if key not in self._told:
            told = None
            if one.claim.holder is not None:
                told = _by_holder(one, one.claim.holder, process)
            self._told[key] = told or self._by_project(one, process, seen)
        return self._told[key]

    def _by_project(self, one: InForce, process: Process, seen: Observation) -> _Told:
        """Tell by whom and where a process runs."""
        who, source = _say(process), f"/proc/{process.pid}/cwd"
        if seen.container is not None:
            return _Told(UNTOLD, f"{who} runs in a container, whoever started that", f"/proc/{process.pid}/cgroup")
        uid = user_of(process.pid)
        if one.user is not None and uid not in {None, ROOT, one.user} and not is_system_unit(seen):
            says = f"{who} runs as {process.user or uid}, and the ledger is another user's"
            return _Told(ANOTHERS, says, f"/proc/{process.pid}")
        try:
            folder = folder_of(process.pid)
        except PermissionError:
            self._hidden[seen.local.port] = None
            return _Told(UNTOLD, f"where {who} works may not be read", source, seen=False)
        repository = None if folder is None else repository_of(Path(folder))
        if folder is None or repository is None or not _is_trusted(repository.place, uid):
            where = "in no repository" if folder is not None else "in a folder that cannot be seen from here"
            return _Told(UNTOLD, f"{who} works {where}", source)
        project = one.claim.owner.partition("/")[0]
        if repository.name == project:
            return _Told(OWN, f"{who} works in {folder}, in the repository of {project}", source)
        return _Told(ANOTHERS, f"{who} works in {folder}, in the repository of {repository.name}", source)


def read_claimed() -> Claimed:
    """Read the claims in force of all ledgers that there are for this user."""
    return Claimed(*read_claims(places_to_look_at()))


def _by_holder(one: InForce, holder: Holder, process: Process) -> _Told | None:
    """Tell by the process that a claim is for; None where that does not tell."""
    boot, _, _ = holder.boot_id.partition("/")
    ours, _, _ = boot_id().partition("/")
    if one.started is None or boot != ours:  # of another machine; or none of its children can be alive
        return None
    if holder.boot_id != boot_id():  # its pid counts in another PID namespace
        return None
    who = _say(process)
    own = is_of(process.pid, holder.pid, one.started)
    if own is None and _are_apart(process.pid, holder.pid):
        own = ANOTHERS
    if own:
        says = f"{who} holds the claim" if process.pid == holder.pid else f"{who} was started by process {holder.pid}"
        return _Told(OWN, says, f"/proc/{process.pid}/stat")
    if own is ANOTHERS:
        return _Told(ANOTHERS, f"{who} was not started by process {holder.pid}", f"/proc/{process.pid}/stat")
    return None


def _are_apart(pid: int, holder: int) -> bool:
    """Tell whether a process runs in other control groups than the one that may have started it."""
    ours, theirs = group_of(pid), group_of(holder)
    return ours is not None and theirs is not None and ours != theirs


def _by_socket(one: InForce, seen: Observation) -> _Told:
    """Tell by who made a socket whose processes nobody sees."""
    made_by = seen.socket_user
    if (
        one.user is not None
        and seen.processes_missing == "not permitted"
        and made_by not in {None, _name_of(ROOT), _name_of(one.user)}
        and not is_system_unit(seen)
    ):
        return _Told(ANOTHERS, f"its socket was made by {made_by}, and the ledger is another user's", source_of(seen))
    why = "a rule takes it" if seen.redirect is not None else seen.processes_missing or "nobody is seen to hold it"
    return _Told(UNTOLD, f"whose it is cannot be told ({why})", source_of(seen))


def _is_trusted(folder: Path, uid: int | None) -> bool:
    """Tell whether a repository says whose a process is: anybody can make one above where others work.

    As git has it with safe.directory, it is to belong to who works there; or to root, or to who asks.
    """
    git = folder / ".git"
    try:
        found = os.lstat(git if os.path.lexists(git) else folder)
    except OSError:
        return False
    return os.name != "posix" or found.st_uid in {uid, ROOT, os.geteuid()}


def _name_of(uid: int) -> str:
    """Return the name of a user, as observations have it."""
    from pwd import getpwuid  # noqa: PLC0415  # other systems have none

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _say(process: Process) -> str:
    return f"{process.name or 'a process'} (pid {process.pid})"
