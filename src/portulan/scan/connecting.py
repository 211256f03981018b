"""The sockets of a scan: carry out what the sweeps of many hosts draw, and tell them what came of it.

Attempts are made without waiting, and the kernel tells when they end: epoll where there is one. Nothing is ever sent on
a connection, and one that is made is ended at once by a reset, so that no port is held back in TIME-WAIT (socket(7),
SO_LINGER).

On this machine the answer is there before connect(2) returns, so nothing need be waited for: one socket asks port after
port, which an attempt that was refused leaves free for the next. It is bound to a port of its own by number, since the
kernel gives a port that it chose itself back after each attempt and makes it anew for the next.

A port on this machine that nobody holds may still be connected: by an attempt that happens to have it as its own port
(RFC 9293, section 3.5, simultaneous open). Such a connection is to ourselves, and the port is asked again from another.
"""

from __future__ import annotations

import _socket
import errno
import select
import struct
import sys
import time
from collections import deque
from itertools import repeat

from portulan.errors import NotPermitted, UsageError
from portulan.model import Value
from portulan.scan.outcomes import PENDING, Icmp, outcome_of, parse_icmp
from portulan.scan.pacing import Rate
from portulan.scan.targets import IPV4

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from portulan.scan.outcomes import Outcome
    from portulan.scan.sweep import Sweep
    from portulan.scan.targets import Host

HOSTS_AT_ONCE = 64
LONGEST_WAIT_S = 0.2
"""After so long somebody who wants to stop is heard at the latest."""
SPARE = 64
"""So many descriptors are left to everything else."""
MOST = 8_192
"""So many attempts are under way at the same time at most."""
EAGER_S = 0.004
"""How long an attempt on this machine may keep us: it ends before, unless a packet filter is silent."""
PATIENCE = 8
"""After so many silent ports they are asked here too without waiting."""
SPIN = 256
"""So many are asked on this machine between two looks at the clock where there is a rate."""
_EAGER = sys.platform == "linux"
_NONBLOCK: int = getattr(_socket, "SOCK_NONBLOCK", 0)
_REFUSED = errno.ECONNREFUSED
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # struct linger: on, after no time
_LONGEST = struct.pack("ll", 0, int(EAGER_S * 1_000_000))  # struct timeval
_IP_RECVERR, _IPV6_RECVERR, _MSG_ERRQUEUE = 11, 25, 0x2000
"""linux/in.h, linux/in6.h, linux/socket.h; the module has no names for them."""


class Line:
    """One host with its sweep, and the attempts there that are under way."""

    def __init__(self, host: Host, sweep: Sweep, *, near: bool) -> None:
        self.host = host
        self.sweep = sweep
        self.near = near
        self.family = _socket.AF_INET if host.version == IPV4 else _socket.AF_INET6
        address, _, zone = host.address.partition("%")
        self.address = address
        self.more = () if host.version == IPV4 else (0, _scope(zone) if zone else 0)
        self.queue: deque[int] = deque()
        self.under_way: deque[Attempt] = deque()  # in the order in which their time is up
        self.count = 0
        self.not_before_s = 0.0
        self.eager = near and _EAGER
        self.patience = PATIENCE
        self.source: _socket.socket | None = None  # that asks port after port

    def close(self) -> None:
        """Let go of the socket that is kept."""
        if self.source is not None:
            self.source.close()
            self.source = None


class Attempt(Value):
    """An attempt under way. `own` is the port that it comes from, if that is on the machine it goes to."""

    line: Line
    port: int
    socket: _socket.socket
    began_s: float
    until_s: float
    own: int | None


def _scope(zone: str) -> int:
    try:
        return int(zone) if zone.isdigit() else _socket.if_nametoindex(zone)
    except (OSError, OverflowError):
        message = f"there is no interface {zone[:40]!r}"
        raise UsageError(message, hint="ip link lists them") from None


def make_room(most: int = MOST) -> int:
    """Raise the limit on open files as far as is allowed, and return how many attempts there is room for."""
    try:
        import resource  # noqa: PLC0415  # only Unix has it
    except ImportError:
        return 512  # as many as select() of Windows takes
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + SPARE if hard == resource.RLIM_INFINITY else min(most + SPARE, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):  # macOS has another limit above
            pass
    return most if soft == resource.RLIM_INFINITY else max(min(most, soft - min(SPARE, soft // 2)), 1)


class Scan:
    """Many hosts, some of them at the same time. Iterate over `run()` to get each line when it is over."""

    def __init__(
        self, lines: Iterable[Line], *, most: int, rate: int | None = None, stop: Callable[[], bool] = lambda: False
    ) -> None:
        """Take the lines, each when its turn comes. `stop` is asked whether to end early."""
        self._waiting = iter(lines)
        self.most = most
        self._rate = Rate(rate)
        self._limited = rate is not None
        self._stop = stop
        self._watch = _Watch()
        self._attempts: dict[int, Attempt] = {}
        self._more = True
        self.lines: list[Line] = []

    def run(self) -> Iterator[Line]:
        """Scan. A line that was stopped early stays in `lines`."""
        try:
            while not self._stop():
                self._fill()
                if not self.lines:
                    break
                for line in self.lines:
                    self._go_on(line)
                yield from self._take_finished()
                if self.lines:
                    self._listen()
        finally:
            for attempt in list(self._attempts.values()):
                self._forget(attempt)
            for line in self.lines:
                line.close()
            self._watch.close()

    def _fill(self) -> None:
        while self._more and len(self.lines) < HOSTS_AT_ONCE:
            line = next(self._waiting, None)
            if line is None:
                self._more = False
            else:
                self.lines.append(line)

    def _take_finished(self) -> Iterator[Line]:
        finished = [line for line in self.lines if line.sweep.over]
        for line in finished:
            line.close()
            self._abandon(line)
            self.lines.remove(line)
            yield line

    # -------------------------------------------------------------------------------------------------------- asking

    def _go_on(self, line: Line) -> None:
        """Draw a batch where there is none, and begin as many attempts as there may be."""
        now = time.monotonic()
        if now < line.not_before_s or line.sweep.over:
            return
        if not line.queue and not line.count:
            line.queue.extend(line.sweep.draw())
            line.eager, line.patience = line.near and _EAGER, PATIENCE
        if line.eager:
            self._ask_at_once(line)
            return
        room = min(line.sweep.pace.window - line.count, len(line.queue), self.most - len(self._attempts))
        for _ in range(self._rate.take(max(room, 0), now)):
            if not line.queue:  # the sweep has ended
                break
            self._begin(line, line.queue.popleft(), now)

    def _ask_at_once(self, line: Line) -> None:
        """Ask on this machine: what refuses is known when connect() returns; all else is seen to one by one."""
        while line.queue and line.eager and not line.sweep.over:
            ports = list(line.queue)
            if self._limited:
                ports = ports[: self._rate.take(min(len(ports), SPIN), time.monotonic())]
                if not ports:
                    return
            line.source = source = line.source or self._bound(line)
            if source is None:
                self._note(line, line.queue.popleft(), "crowded")
                continue
            refused = 0
            for error in map(source.connect_ex, _addresses(line, ports)):
                if error != _REFUSED:
                    break
                refused += 1
            if refused == len(line.queue):
                line.queue.clear()
            for _ in range(min(refused + 1, len(ports)) if line.queue else 0):
                line.queue.popleft()
            line.sweep.note_closed(ports[:refused])
            if refused < len(ports):
                line.source = None
                self._see_to(line, ports[refused], source, error)

    def _see_to(self, line: Line, port: int, source: _socket.socket, error: int) -> None:
        """Note what is not refused at once; an attempt that goes on is waited for."""
        now = time.monotonic()
        if error in PENDING:
            line.patience -= 1
            line.eager = line.patience > 0
            source.settimeout(0.0)
            self._wait_for(line, port, source, now - EAGER_S)
            return
        outcome = outcome_of(error)
        if outcome == "open" and self._is_ours(source):
            outcome = "again"
        self._hang_up(source, error)
        self._note(line, port, outcome)

    def _bound(self, line: Line) -> _socket.socket | None:
        """Return a socket with a port of its own by number: one that is free now."""
        for _ in range(PATIENCE):
            try:
                free = _socket_of(line.family)
                free.bind((line.address, 0, *line.more))
                own = free.getsockname()[1]
                free.close()
                made = _socket_of(line.family)
                made.bind((line.address, own, *line.more))
            except OSError:  # somebody was faster, or there is no room
                continue
            made.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, _LONGEST)
            return made
        return None

    def _begin(self, line: Line, port: int, now: float) -> None:
        """Begin an attempt."""
        try:
            made = _socket_of(line.family, _NONBLOCK)
        except OSError as error:
            self._note(line, port, outcome_of(error.errno or errno.ENOBUFS))
            return
        if not _NONBLOCK:
            made.settimeout(0.0)
        if _EAGER and not line.near:
            level, option = (
                (_socket.IPPROTO_IP, _IP_RECVERR) if not line.more else (_socket.IPPROTO_IPV6, _IPV6_RECVERR)
            )
            made.setsockopt(level, option, 1)
        answer = made.connect_ex((line.address, port, *line.more))
        if answer in PENDING:
            self._wait_for(line, port, made, now)
        else:
            self._conclude(line, port, made, answer, now)

    def _wait_for(self, line: Line, port: int, source: _socket.socket, began_s: float) -> None:
        own = source.getsockname()[1] if line.near else None
        attempt = Attempt.of((line, port, source, began_s, began_s + line.sweep.wait_s, own))
        self._attempts[source.fileno()] = attempt
        line.under_way.append(attempt)
        line.count += 1
        self._watch.add(source.fileno())

    # --------------------------------------------------------------------------------------------------------- hearing

    def _listen(self) -> None:
        """Wait until something happens, or is due; then see to it."""
        now = time.monotonic()
        for descriptor in self._watch.wait(self._pause_s(now)):
            attempt = self._attempts.get(descriptor)
            if attempt is not None:
                self._hear(attempt)
        now = time.monotonic()
        for line in self.lines:
            queue = line.under_way
            while queue and (queue[0].until_s <= now or self._attempts.get(queue[0].socket.fileno()) is not queue[0]):
                attempt = queue.popleft()
                if self._attempts.get(attempt.socket.fileno()) is attempt:
                    self._forget(attempt)
                    self._note(line, attempt.port, "silent")

    def _pause_s(self, now: float) -> float:
        """Return how long there is nothing to do unless something is heard."""
        due = [line.under_way[0].until_s for line in self.lines if line.under_way]
        if len(self._attempts) < self.most:
            soon = now + self._rate.next_s
            due += [
                max(line.not_before_s, soon)
                for line in self.lines
                if (line.queue and line.count < line.sweep.pace.window) or not line.count
            ]
        return min(max(min(due, default=now) - now, 0.0), LONGEST_WAIT_S)

    def _hear(self, attempt: Attempt) -> None:
        """See how an attempt ended."""
        error = attempt.socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        line = attempt.line
        self._leave(attempt)
        self._conclude(line, attempt.port, attempt.socket, error, attempt.began_s)

    def _conclude(self, line: Line, port: int, source: _socket.socket, error: int, began_s: float) -> None:
        """Note what came of an attempt, and let its socket go."""
        icmp = None
        if error and _EAGER and not line.near and error != errno.ETIMEDOUT:
            icmp = _read_icmp(source)
        outcome = outcome_of(error, icmp)
        if outcome == "open" and self._is_ours(source):
            outcome = "again"
        self._hang_up(source, error)
        if outcome in {"open", "closed"}:
            line.sweep.pace.heard(time.monotonic() - began_s)
        self._note(line, port, outcome)

    @staticmethod
    def _hang_up(source: _socket.socket, error: int) -> None:
        if not error:
            source.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, _RESET)
        source.close()

    def _is_ours(self, source: _socket.socket) -> bool:
        """Tell whether a connection leads to this socket itself, or to another of ours (simultaneous open)."""
        try:
            here, there = source.getsockname(), source.getpeername()
        except OSError:  # it has ended
            return False
        ours = {attempt.own for attempt in self._attempts.values() if attempt.own is not None}
        return here[:2] == there[:2] or (here[0] == there[0] and there[1] in ours)

    def _note(self, line: Line, port: int, outcome: Outcome) -> None:
        slowed = line.sweep.pace.slowed
        line.sweep.note(port, outcome)
        if line.sweep.over:
            line.queue.clear()
        elif line.sweep.pace.slowed > slowed:
            line.not_before_s = time.monotonic() + line.sweep.pace.rest_s

    def _abandon(self, line: Line) -> None:
        """End what is under way at a host that is given up."""
        for attempt in line.under_way:
            if self._attempts.get(attempt.socket.fileno()) is attempt:
                self._forget(attempt)

    def _forget(self, attempt: Attempt) -> None:
        self._leave(attempt)
        attempt.socket.close()

    def _leave(self, attempt: Attempt) -> None:
        """Wait for an attempt no more; its socket is to be closed."""
        descriptor = attempt.socket.fileno()
        self._watch.remove(descriptor)
        del self._attempts[descriptor]
        attempt.line.count -= 1


def _addresses(line: Line, ports: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """Yield the addresses of some ports as connect() takes them."""
    return zip(repeat(line.address), ports, *map(repeat, line.more))


def _socket_of(family: int, flag: int = 0) -> _socket.socket:
    """Make a socket of TCP. Raises NotPermitted where this process may make none, OSError where there is no room."""
    try:
        return _socket.socket(family, _socket.SOCK_STREAM | flag)
    except PermissionError as error:
        message = f"this process may open no connections: {error.strerror}"
        raise NotPermitted(message, hint="it runs in a sandbox; ask from outside of it") from None


def _read_icmp(source: _socket.socket) -> Icmp | None:
    """Return the ICMP message that ended an attempt, where the kernel kept one (ip(7), IP_RECVERR)."""
    try:
        _, extra, _, _ = source.recvmsg(0, 256, _MSG_ERRQUEUE)
    except OSError:
        return None
    return next((icmp for _, _, data in extra if (icmp := parse_icmp(data)) is not None), None)


class _Watch:
    """What tells that an attempt has ended: epoll, at a quarter of the price of `selectors`, which others have."""

    def __init__(self) -> None:
        self._epoll: Any = None
        self._selector: Any = None
        if hasattr(select, "epoll"):
            self._epoll = select.epoll()
        else:
            import selectors  # noqa: PLC0415  # Linux does without

            self._selector = selectors.DefaultSelector()

    def add(self, descriptor: int) -> None:
        """Watch a descriptor."""
        if self._epoll is not None:
            self._epoll.register(descriptor, select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP)
        else:
            self._selector.register(descriptor, 2)  # selectors.EVENT_WRITE

    def remove(self, descriptor: int) -> None:
        """Watch it no more; epoll forgets a socket that is closed."""
        if self._selector is not None:
            self._selector.unregister(descriptor)

    def wait(self, seconds: float) -> list[int]:
        """Return the descriptors whose attempts have ended."""
        if self._epoll is not None:
            return [descriptor for descriptor, _ in self._epoll.poll(seconds)]
        if not self._selector.get_map():  # Windows cannot wait for nothing
            time.sleep(seconds)
            return []
        return [key.fd for key, _ in self._selector.select(seconds)]

    def close(self) -> None:
        """Let go."""
        (self._epoll or self._selector).close()
