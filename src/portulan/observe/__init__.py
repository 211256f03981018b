"""The territory: what holds or talks to a port on this machine.

`survey` asks the system and gives a `Survey`: observations one by one, and what was refused. Every module here belongs
to one source: Linux is asked itself, every other system through psutil.
"""

from __future__ import annotations

import os
import sys

from portulan.errors import UsageError
from portulan.model import PORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Incomplete, Observation
    from portulan.observe.redirects import Rules

__all__ = ["Survey", "find_recording", "rules", "survey"]


class Survey:
    """A look at this machine: iterate over it for its `Observation`s.

    The system is asked when the iteration begins and each observation is made when its turn comes, so that a hundred
    thousand sockets need little memory. Each iteration is a new look. `incomplete` is final once an iteration ended.
    """

    __slots__ = (
        "_accepted",
        "_all_owners",
        "_command_lines",
        "_connections",
        "_everywhere",
        "_incomplete",
        "_port",
        "_provenance",
        "_rules",
        "_scripts",
        "_thorough",
        "_verify",
    )

    def __init__(
        self,
        port: int | None,
        *,
        connections: bool,
        accepted: bool,
        all_owners: bool,
        thorough: bool,
        everywhere: bool,
        command_lines: bool,
        provenance: bool = False,
        verify: bool = False,
        scripts: bool = False,
    ) -> None:
        self._port = port
        self._connections = connections
        self._accepted = accepted
        self._all_owners = all_owners
        self._thorough = thorough
        self._everywhere = everywhere
        self._command_lines = command_lines
        self._provenance = provenance or verify or scripts
        self._verify = verify
        self._scripts = scripts or verify
        self._rules: Rules | None = None
        self._incomplete: list[Incomplete] = []

    def with_rules(self, rules: Rules | None) -> Survey:
        """Show ports too that a rule of nftables, iptables or IPVS takes with no socket, and what is behind a proxy."""
        self._rules = rules
        return self

    def __iter__(self) -> Iterator[Observation]:
        """Look now: who holds a port first, ordered by port, transport and address; then who talks."""
        self._incomplete = []
        if sys.platform != "linux":
            from portulan.observe import portable  # noqa: PLC0415  # Linux does without

            return portable.observe(
                self._port,
                connections=self._connections,
                accepted=self._accepted,
                everywhere=self._everywhere,
                command_lines=self._command_lines,
                incomplete=self._incomplete,
            )
        from portulan.observe import linux  # noqa: PLC0415  # another system does without

        provenance = None
        if self._provenance:
            from portulan.observe.provenance import Provenance  # noqa: PLC0415  # who does not ask does not pay

            provenance = Provenance(verify=self._verify, scripts=self._scripts)
        seen = linux.observe(
            self._port,
            connections=self._connections,
            accepted=self._accepted,
            all_owners=self._all_owners,
            thorough=self._thorough,
            everywhere=self._everywhere,
            command_lines=self._command_lines,
            provenance=provenance,
            incomplete=self._incomplete,
        )
        seen = _look_behind(seen, self._incomplete)
        if self._rules is None:
            return seen
        from portulan.observe.redirects import merge  # noqa: PLC0415  # only where somebody asks

        return merge(seen, self._port, self._rules, self._incomplete)

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What was refused during the last iteration."""
        return tuple(self._incomplete)


def _look_behind(seen: Iterator[Observation], incomplete: list[Incomplete]) -> Iterator[Observation]:
    """Add what is known of containers and of sockets that systemd holds for a service; most sockets have neither."""
    behind = None
    for observation in seen:
        unit = observation.unit
        if observation.container is not None or (
            observation.direction == "listen"
            and (
                (unit is not None and unit.endswith((".socket", "init.scope")))
                or "systemd" in [process.name for process in observation.processes]
            )
        ):
            if behind is None:
                from portulan.observe.behind import Behind  # noqa: PLC0415  # as said above

                behind = Behind(incomplete)
            observation = behind.look(observation)  # noqa: PLW2901  # the same socket, better known
        yield observation


def rules() -> Rules | None:
    """Return the rules that take ports with no socket, for `Survey.with_rules`: asked once, when a survey needs them.

    To ask may start programs of the system: nft, iptables-save. None where the system is not Linux.
    """
    if sys.platform != "linux":
        return None
    from portulan.observe.redirects import Rules  # noqa: PLC0415  # only where somebody asks

    return Rules()


def survey(
    port: int | None = None,
    *,
    connections: bool = False,
    accepted: bool = False,
    all_owners: bool = False,
    thorough: bool = True,
    everywhere: bool = False,
    command_lines: bool = True,
    provenance: bool = False,
    verify: bool = False,
    scripts: bool = False,
) -> Survey:
    """Look at the sockets of this network namespace, or of the whole machine, and at the processes that hold them.

    With `port`: all that holds it or talks to it: listeners, bound sockets, accepted connections, connections that dial
    it, connections that have it as their own port. Without: what listens or is bound; `connections` adds those who
    dial, `accepted` the connections of listeners.

    Without `thorough` the question about one port is a third quicker on a busy machine: where somebody listens on TCP,
    its connections, and what is only bound or dials from there beside it, are left out. `all_owners` reads every file
    descriptor of the machine: it finds owners that got a socket under another number or sit in another control group,
    and costs several times more.
    `everywhere` looks into all network namespaces of the machine, says who can reach each listener, and where a socket
    without a process may be waiting to be delivered. Without `command_lines` those of processes are not read.

    `provenance` asks for the package of each program and whether it was upgraded since it was started; `scripts` also
    for the script of an interpreter; `verify` for both, and reads the programs whole, to tell whether they are as their
    packages shipped them.
    What was learned is kept for the next run in a file that this user alone can write.

    Elsewhere than on Linux all owners that may be read are found and all sockets of a port told, so `thorough` and
    `all_owners` change nothing; there are no network namespaces, so `everywhere` says who can reach each listener and
    no more; and nobody knows of packages, so `provenance`, `scripts` and `verify` find nothing.

    Raises NotSupported where there is no source (Linux with neither netlink nor /proc; elsewhere no psutil).
    """
    if port is not None and not 0 <= port < PORTS:
        message = f"there is no port {port}"
        raise UsageError(message, hint=f"port numbers are 0 to {PORTS - 1}")
    if sys.platform != "linux":
        from portulan.observe import portable  # noqa: PLC0415  # Linux does without

        portable.load()
    return Survey(
        port,
        connections=connections,
        accepted=accepted,
        all_owners=all_owners,
        thorough=thorough,
        everywhere=everywhere,
        command_lines=command_lines,
        provenance=provenance,
        verify=verify,
        scripts=scripts,
    )


def find_recording() -> str | None:
    """Return the recording of a watch that there is to read; None where there is none.

    $PORTULAN_HISTORY names one, or none if it is empty; else it is the user's own or that of the machine. What lies in
    the user's folder and belongs to somebody else is passed over: root with another's HOME (sudo) reads root's.
    """
    environ = os.environ
    named = environ.get("PORTULAN_HISTORY")
    if named is not None:
        return named if named and os.access(named, os.R_OK) else None
    home = environ.get("XDG_STATE_HOME") or (environ["HOME"] + "/.local/state" if environ.get("HOME") else "")
    places = [home and home + "/portulan/history.sqlite", "/var/lib/portulan/history.sqlite"]
    return next((place for place in places if place and os.access(place, os.R_OK) and _is_ours(place)), None)


def _is_ours(place: str) -> bool:
    if os.name != "posix":  # files have no such owner there, and no program of Portulan records
        return True
    try:
        return os.stat(place).st_uid in {0, os.geteuid()}  # noqa: PTH116  # pathlib is too slow to start for this path
    except OSError:  # removed in between
        return False
