"""What a scan finds, joined with what the map and this machine know.

This machine is read, not scanned: who holds its ports is known without a packet, unless somebody wants to see what a
connection sees. Everybody else is scanned.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

from portulan.model import PORTS, Endpoint, Incomplete, Observation, Value, replace
from portulan.scan.connecting import Line, Scan, make_room
from portulan.scan.pacing import Pace
from portulan.scan.resuming import COUNTS, Begun, State, left_over
from portulan.scan.sweep import Sweep
from portulan.scan.targets import hosts_of, say_span
from portulan.whom import PRIVATE, is_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from portulan.registry.index import Index
    from portulan.scan.sweep import Left
    from portulan.scan.targets import Host, Span

NEAR = 1_024
"""So many at a time are asked on this machine."""
LARGEST_RANGE = 16
"""A use that is cited for more ports than these says little about one of them."""
SYSTEM_PORTS = 1_024
FIRST_ASKED = (80, 443, 22, 445, 53, 3389, 25, 21, 23, 139, 135, 5900, 8080, 8443, 631, 9100)
"""By these it is seen whether there is anybody: web, shells, files, names, mail, desktops, printers."""


class Counted(Value):
    """What came of one host: how many of its ports, and why it ended early, if it did.

    `read` tells that it is this machine, whose sockets were read and not asked.
    """

    address: str
    name: str | None
    read: bool
    open: int
    closed: int
    filtered: int
    unreachable: int
    silent: int
    not_asked: int
    slowed: int
    why: str | None


def all_ports() -> tuple[int, ...]:
    """Return all ports, for one host: nobody knows where services are.

    Web servers alone are spread over thousands of ports: 25,000 are needed to find nine of ten (LZR, section 6.1,
    https://arxiv.org/abs/2301.04841).
    """
    return tuple(range(1, PORTS))


def likely_ports(index: Index) -> tuple[int, ...]:
    """Return the ports for many hosts: the system ports, and those that a known use holds by TCP."""
    likely = dict.fromkeys((*FIRST_ASKED, *range(1, SYSTEM_PORTS)))
    for port in range(SYSTEM_PORTS, PORTS):
        for use in index.entry(port).known_uses:
            held = use.transport == "tcp" and use.direction == "listen" and use.relation != "malicious"
            if held and use.ports.last - use.ports.first < LARGEST_RANGE:
                likely[port] = None
    return tuple(likely)


def outside(spans: Iterable[Span]) -> Span | None:
    """Return the first span that is neither of this machine nor in a private network; None where there is none."""
    for span in spans:
        within = [
            network
            for network in PRIVATE
            if network.version == span.version
            and int(network.network_address) <= span.first
            and span.last <= int(network.broadcast_address)
        ]
        if not within and not (span.count == 1 and is_here(say_span(span))):
            return span
    return None


class Scanned:
    """What a scan finds, one observation after the other as hosts are done. Iterate over it once.

    `counted` has the hosts that are done, `state` what is left. `stop` is asked every now and then whether to end
    early; until then `incomplete` tells which hosts had to be given up.
    """

    def __init__(
        self, begin: State, *, rate: int | None = None, stop: Callable[[Scanned], bool] = lambda _: False
    ) -> None:
        """Take a scan that has not begun, or one to go on with."""
        self._begin = begin
        self._taken = begin.taken
        self._over = [one for one in begin.begun if one.over]
        self._read: list[Observation] = []
        self._incomplete: list[Incomplete] = []
        self._scan = Scan(self._lines(), most=make_room(), rate=rate, stop=lambda: stop(self))
        self.counted: list[Counted] = []

    @property
    def room(self) -> int:
        """How many attempts may be under way at the same time."""
        return self._scan.most

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What is not known: of hosts that were given up, and what could not be read of this machine."""
        return tuple(self._incomplete)

    @property
    def state(self) -> State:
        """What is left to do, with what was found."""
        under_way = [Begun(line.host, line.sweep.left, over=False, why=None) for line in self._scan.lines]
        return replace(self._begin, taken=self._taken, begun=(*left_over(self._over), *under_way))

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return not self._scan.lines and self._taken == self.hosts

    @property
    def hosts(self) -> int:
        """How many hosts there are."""
        return sum([span.count for span in self._begin.spans])

    @property
    def progress(self) -> tuple[int, int]:
        """How many ports are known of the hosts that are under way, and how many those have."""
        lines = self._scan.lines
        return sum([line.sweep.done for line in lines]), len(lines) * len(self._begin.ports)

    def __iter__(self) -> Iterator[Observation]:
        """Scan."""
        for begun in self._over:
            yield from self._found(begun)
        for line in self._scan.run():
            yield from self._here()
            begun = Begun(line.host, line.sweep.left, over=True, why=line.sweep.why)
            self._over.append(begun)
            yield from self._found(begun, line.sweep.pace.slowed)
        yield from self._here()
        for line in self._scan.lines:  # it was stopped
            yield from _observations(line.host, line.sweep.open)

    def _lines(self) -> Iterator[Line]:
        """Yield the hosts that are to be asked, when their turn comes; those that are read are read then."""
        for begun in self._begin.begun:
            if not begun.over:
                yield self._line(begun.host, begun.left)
        for host in islice(hosts_of(self._begin.spans), self._taken, None):
            self._taken += 1
            if is_here(host.address) and not self._begin.connect:
                self._read_here(host)
            else:
                yield self._line(host)

    def _line(self, host: Host, left: Left | None = None) -> Line:
        near = is_here(host.address)
        pace = Pace(NEAR, window=NEAR) if near else Pace(self.room)
        if left is None:
            return Line(host, Sweep(self._begin.ports, pace, alone=host.alone), near=near)
        return Line(host, Sweep.of(left, pace, alone=host.alone), near=near)

    def _here(self) -> Iterator[Observation]:
        """Yield what was read of this machine since."""
        seen, self._read = self._read, []
        return iter(seen)

    def _read_here(self, host: Host) -> None:
        """Read who holds ports at an address of this machine."""
        from portulan.observe import survey  # noqa: PLC0415  # others need none

        ports = set(self._begin.ports)
        seen = survey(command_lines=True)
        held = [one for one in seen if one.transport == "tcp" and one.local.port in ports and _answers_at(one, host)]
        self._read += held
        if any(one.processes_missing == "not permitted" for one in held):  # else it is about ports that nobody wants
            self._incomplete += [refused for refused in seen.incomplete if refused not in self._incomplete]
        self.counted.append(Counted.of((host.address, host.name, True, len(held), *(0,) * 6, None)))

    def _found(self, begun: Begun, slowed: int = 0) -> Iterator[Observation]:
        """Yield the open ports of a host, count it, and say what is not known of it."""
        host, left = begun.host, begun.left
        counts = dict(left.counts)
        missing = len(left.ports) + len(left.silent)
        closed, filtered, unreachable, silent = [counts[name] for name in COUNTS]
        found = len(left.open), closed, filtered, unreachable, silent, missing, slowed
        counted = Counted.of((host.address, host.name, False, *found, begun.why))
        self.counted.append(counted)
        if begun.why is not None and answered(counted):
            hint = "ask fewer a second, as --rate 100, or fewer ports"
            self._incomplete.append(Incomplete(f"{missing} ports of {host.address}", begun.why, hint))
        yield from _observations(host, left.open)


def answered(counted: Counted) -> bool:
    """Tell whether a host, or a packet filter in front of it, said anything."""
    return bool(counted.read or counted.open or counted.closed or counted.filtered)


def nobody(counted: Iterable[Counted]) -> bool:
    """Tell whether no host said anything."""
    return not any(map(answered, counted))


def _answers_at(seen: Observation, host: Host) -> bool:
    """Tell whether a socket is a listener that answers at an address of this machine."""
    address, _, zone = host.address.partition("%")
    wild = {"::"} if ":" in address else {"0.0.0.0", *([] if seen.ipv6_only else ["::"])}
    return (
        seen.direction == "listen"
        and seen.network_namespace_name is None
        and seen.socket_state not in {"bound", "redirected"}
        and (seen.local.address == address or seen.local.address in wild)
        and (not zone or seen.interface in {None, zone})
    )


def _observations(host: Host, ports: Iterable[int]) -> Iterator[Observation]:
    """Yield the open ports of a host as what they are: somebody holds them, and nothing more is seen from there."""
    now = datetime.now(UTC).replace(microsecond=0)
    address, _, zone = host.address.partition("%")
    for port in sorted(ports):
        yield Observation(
            now,
            host.name or host.address,
            "live",
            "listen",
            "tcp",
            Endpoint(address, port),
            None,
            None,
            (),
            "not recorded",
            *(None,) * 4,
            network_type="ipv6" if ":" in address else "ipv4",
            interface=zone or None,
        )


def asked(seen: Iterable[Observation], index: Index, *, consent: bool = False) -> Iterator[Observation]:
    """Ask what answers on the ports that were found, and pass them on with the answer."""
    from portulan.probed import can_be_asked, probe, target_of  # noqa: PLC0415  # who does not ask does without

    found = list(seen)
    wanted = {number: target_of(one, index, consent=consent) for number, one in enumerate(found) if can_be_asked(one)}
    near = {target.address: is_here(target.address) for target in wanted.values()}
    for here in (True, False):
        targets = [target for target in dict.fromkeys(wanted.values()) if near[target.address] is here]
        answers = dict(probe(targets, index, consent=consent, near=here))
        for number, target in wanted.items():
            if target in answers:
                found[number] = replace(found[number], identification=answers[target])
    return iter(found)
