"""The sockets: carry out the steps of a plan, and bring back what is answered. Nobody else here opens one."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
import ssl
import time
from typing import TYPE_CHECKING, cast

from portulan.identify import handshake
from portulan.identify.answers import Answer
from portulan.identify.plan import NONCE, PLAIN, Asked, Step, next_step
from portulan.model import Cost

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from portulan.identify.answers import End, Probe
    from portulan.identify.plan import Case
    from portulan.model import Tls

GONE = (OSError, ssl.SSLError, TimeoutError)
"""How a connection, or the handshake on it, may fail."""


MOST_SOCKETS = 12
"""So many sockets for datagrams are open for one port at a time; by then an answer to the oldest is no longer due."""


class Talk:
    """What was said on one connection last, and what has come back since."""

    def __init__(self, most: int, news: asyncio.Event) -> None:
        self._most = most
        self._news = news
        self.probe = ""
        self.sent = self.nonce = self.before = b""
        self.data = bytearray()
        self.received = 0
        self.end: End = "open"
        self.heard_at = 0.0
        self.told = True  # nothing came that was not reported
        self.shaken = False  # a handshake was finished that was not reported
        self.tls: Tls | None = None
        self._ended = False
        self._said_all = False

    def say(self, probe: Probe) -> None:
        """Send a probe. What came until now is `before`."""
        self.probe, self.nonce = probe.name, secrets.token_bytes(len(NONCE))
        self.before += bytes(self.data)
        self.data.clear()
        self.sent = probe.payload(self.nonce)
        self._send(self.sent)

    def say_no_more(self) -> None:
        """End our direction of the connection. If the service ends the other then, that is our doing."""
        self._said_all = True
        self._send_end()

    def hang_up(self) -> None:
        """End the connection at once; that is not the service's doing."""
        self._ended = True
        self._abort()

    @property
    def alive(self) -> bool:
        """Whether neither side has ended the connection."""
        return self.end == "open" and not self._ended

    def _send(self, data: bytes) -> None:
        raise NotImplementedError

    def _send_end(self) -> None:
        """Tell the other side that nothing more comes, where there is a way to."""

    def _abort(self) -> None:
        raise NotImplementedError

    def _hear(self, data: bytes) -> None:
        """Keep what comes, as far as there is room; then hang up."""
        self.received += len(data)
        self.data += data[: self._most - len(self.data)]
        if len(self.data) >= self._most:
            self.hang_up()
        self._note()

    def _finish(self, end: End) -> None:
        self._ended = self._ended or self._said_all
        if self.alive:
            self.end = end
            self._note()

    def _note(self) -> None:
        self.heard_at = time.monotonic()
        self.told = False
        self._news.set()


class Stream(Talk, asyncio.BufferedProtocol):
    """A TCP connection, with or without TLS. It takes no more from the kernel than there is room for."""

    _transport: asyncio.Transport | None = None
    _room = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio's signature
        """Give as much room as is left: a view, since inside TLS asyncio fills slices of it, one for each record."""
        self._room = bytearray(max(self._most - len(self.data), 1))  # asyncio takes no buffer for nothing
        return memoryview(self._room)

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has come."""
        self._hear(bytes(self._room[:nbytes]))

    def eof_received(self) -> bool:
        """Note the end; the other direction is closed too."""
        self._finish("closed")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note how it ended."""
        self._finish("reset" if isinstance(exc, ConnectionError) else "closed")

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _send_end(self) -> None:
        if self._transport is not None and self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Datagrams(Talk, asyncio.DatagramProtocol):
    """A UDP socket. An answer may come from any port of the service (TFTP: RFC 1350, section 4)."""

    _transport: asyncio.DatagramTransport | None = None

    def __init__(self, most: int, news: asyncio.Event, address: tuple[Any, ...] | None) -> None:
        super().__init__(most, news)
        self._address = address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Take a datagram, if the service sent it."""
        if self._address is None or addr[0] == self._address[0]:
            self._hear(data)

    def error_received(self, exc: Exception) -> None:
        """Note that nobody is there (ICMP port unreachable)."""
        self._finish("reset" if isinstance(exc, ConnectionError) else "closed")

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(data, self._address)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Line:
    """All connections of one case."""

    def __init__(self, host: str, case: Case) -> None:
        self._host = host
        self._case = case
        self._limits = case.limits
        self._news = asyncio.Event()
        self._talks: list[Talk] = []
        self._address: tuple[Any, ...] | None = None
        self._started = time.monotonic()
        self.asked = Asked()

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started

    @property
    def cost(self) -> Cost:
        """What this cost the one asked: payload, without what TLS adds."""
        received = sum([talk.received for talk in self._talks])
        return Cost(self.asked.connections, self.asked.bytes_sent, received, round(self._elapsed_s * 1_000))

    async def run(self) -> None:
        """Ask until there is nothing left to ask, or the time is up."""
        with self:
            while (step := next_step(self._case, self.asked, self._elapsed_s)) is not None:
                await self._do(step)

    async def carry_out(self, steps: Iterable[Step]) -> None:
        """Do what somebody else planned."""
        with self:
            for step in steps:
                await self._do(step)

    def __enter__(self) -> None:
        """Nothing is opened yet."""

    def __exit__(self, *_error: object) -> None:
        """End all connections."""
        for talk in self._talks:
            talk.hang_up()

    async def _do(self, step: Step) -> None:
        answers = await self._carry_out(step)
        first = self._talks[0]
        if isinstance(first, Datagrams) and first.end == "reset" and not self.asked.spoke:
            self.asked.over = self.asked.refused = True
            self.asked.remarks.append("nobody there: ICMP port unreachable")
        self.asked.note(step, answers, still_open=tuple([talk.alive for talk in self._talks]))

    async def _carry_out(self, step: Step) -> tuple[Answer, ...]:
        if step.say_no_more:
            next(talk for talk in self._talks if talk.alive).say_no_more()
        if step.hang_up:
            next(talk for talk in self._talks if talk.alive).hang_up()
        if step.fresh:
            self._leave()
            await self._pause()
            try:
                await self._connect(step.inside)
            except GONE as error:
                return self._failed(step, error)
        if step.probe is not None:
            self._talks[-1].say(step.probe)
        return await self._listen(step.wait_s)

    def _leave(self) -> None:
        """End the connections that were answered on: some servers talk to one client at a time."""
        for talk in self._talks:
            if talk.alive and talk.told and talk.data and isinstance(talk, Stream):
                talk.hang_up()

    async def _pause(self) -> None:
        """Leave a service in peace between two connections, and longer after it reset one."""
        if self._talks and self._case.transport == "tcp":
            reset = self._talks[-1].end == "reset"
            await asyncio.sleep(self._limits.pause_after_reset_s if reset else self._limits.pause_s)

    async def _connect(self, inside: tuple[str, ...] | None) -> None:
        if self._case.transport == "udp":
            await self._bind()
            return
        talk = Stream(self._limits.bytes_read, self._news)
        self._talks.append(talk)
        secure, name = (None, None) if inside is None else (handshake.context(inside), self._called())
        loop, port = asyncio.get_running_loop(), self._case.port
        async with asyncio.timeout(max(self._limits.duration_s - self._elapsed_s, 0.1)):
            transport, _ = await loop.create_connection(
                lambda: talk, self._host, port, ssl=secure, server_hostname=name
            )
        if transport.get_extra_info("sockname") == transport.get_extra_info("peername"):
            talk.hang_up()  # TCP's simultaneous open: nobody is there but ourselves
            raise ConnectionRefusedError
        if inside is not None:
            talk.shaken, talk.tls = True, handshake.facts(transport.get_extra_info("ssl_object"))

    def _called(self) -> str:
        """Return what to call the server in a handshake; where that failed without a name, the likeliest one here."""
        guess = "localhost" if self._case.near and self.asked.unfinished else ""
        return named(self._host) or guess

    async def _bind(self) -> None:
        """Open a socket for datagrams: the first is bound to the service, to be told where nobody is there."""
        loop, first = asyncio.get_running_loop(), not self._talks
        if self._address is None:
            found = await loop.getaddrinfo(self._host, self._case.port, type=socket.SOCK_DGRAM)
            self._address = found[0][4]
        address = self._address
        for old in self._talks[:-MOST_SOCKETS]:
            old.hang_up()
        talk = Datagrams(self._limits.bytes_read, self._news, None if first else address)
        self._talks.append(talk)
        if first:
            zone = f"%{address[3]}" if len(address) > 3 and address[3] else ""  # noqa: PLR2004  # of IPv6; asyncio wants a pair
            await loop.create_datagram_endpoint(lambda: talk, remote_addr=(f"{address[0]}{zone}", address[1]))
        else:
            local = "::" if ":" in address[0] else "0.0.0.0"
            await loop.create_datagram_endpoint(lambda: talk, local_addr=(local, 0))

    def _failed(self, step: Step, error: Exception) -> tuple[Answer, ...]:
        """Say that there was no connection, or no handshake."""
        end: End = "reset" if isinstance(error, ConnectionResetError) else "closed"
        self._talks[-1].end, self._talks[-1].told = end, True
        if step.inside is not None:
            self.asked.unfinished += 1
            self.asked.remarks.append(f"the TLS handshake was not finished: {handshake.why(error)}")
        elif end == "closed":
            self.asked.over = True
            self.asked.refused = len(self._talks) == 1
            self.asked.remarks.append(why_refused(error) if self.asked.refused else "then it took no more connections")
        return (Answer("", b"", b"", transport=self._case.transport, end=end, port=self._case.port),)

    async def _listen(self, wait_s: float) -> tuple[Answer, ...]:
        """Wait for an answer on any connection; one is whole where it pauses, or its connection ends."""
        quiet_s = self._limits.quiet_s
        until = time.monotonic() + min(wait_s, max(self._limits.duration_s - self._elapsed_s, 0))
        while True:
            self._news.clear()
            now = time.monotonic()
            waiting = [talk for talk in self._talks if not talk.told]
            whole = [talk for talk in waiting if not talk.alive or now - talk.heard_at >= quiet_s]
            if whole or now >= until + 2 * quiet_s:
                return tuple(map(self._answer, whole or waiting))
            if not waiting and (now >= until or not any(talk.alive for talk in self._talks)):
                return tuple([self._answer(talk) for talk in self._talks if talk.shaken])
            pause = min([talk.heard_at + quiet_s for talk in waiting] or [until]) - now
            try:
                async with asyncio.timeout(max(pause, 0.001)):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _answer(self, talk: Talk) -> Answer:
        talk.told, talk.shaken = True, False
        return Answer(
            talk.probe,
            talk.sent,
            bytes(talk.data),
            self._case.transport,
            talk.nonce,
            talk.before,
            talk.end,
            talk.tls,
            self._case.port,
        )


def named(host: str) -> str:
    """Return what to call a server (SNI, RFC 6066, section 3): its name, and nothing where only an address is known."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return ""


def why_refused(error: Exception) -> str:
    """Say in a few words why there is no connection."""
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, TimeoutError):
        return "there was no answer to the connection"
    return f"no connection: {getattr(error, 'strerror', None) or error}"


async def ask(host: str, case: Case) -> Line:
    """Ask one port, and return what there was."""
    line = Line(host, case)
    await line.run()
    return line


async def ask_only(host: str, case: Case, wanted: Sequence[Probe | None], *, inside: bool = False) -> Line:
    """Ask some things alone, each on a connection of its own (None: listen), and return what there was."""
    line = Line(host, case)
    wait_s = max(case.limits.answer_s, case.limits.listen_s)
    await line.carry_out([Step(probe, fresh=True, wait_s=wait_s, inside=PLAIN if inside else None) for probe in wanted])
    return line
