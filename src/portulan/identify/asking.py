"""The sockets: carry out the steps of a plan, and bring back what is answered. Nobody else here opens one."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from typing import TYPE_CHECKING

from portulan.identify.answers import Answer
from portulan.model import Tls

if TYPE_CHECKING:
    from portulan.identify.answers import End, Probe
    from portulan.identify.plan import Case, Step, Steps

NONCE_BYTES = 16


class Talk(asyncio.Protocol, asyncio.DatagramProtocol):
    """One connection: what was said on it last, and what has come back since."""

    def __init__(self, most: int, news: asyncio.Event) -> None:
        self._most = most
        self._news = news
        self.transport: asyncio.WriteTransport | asyncio.DatagramTransport | None = None
        self.probe: Probe | None = None
        self.sent = b""
        self.nonce = b""
        self.before = b""
        self.data = bytearray()
        self.end: End = "open"
        self.heard_at = 0.0
        self.told = True  # whether all that came was reported

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]  # a stream's or a datagram's, which differ in `write`

    def data_received(self, data: bytes) -> None:
        """Keep what comes, as far as there is room; then hang up."""
        self.data += data[: self._most - len(self.data)]
        if len(self.data) >= self._most and self.transport is not None:
            self.transport.abort()
        self._note()

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002  # asyncio's signature
        """Keep a datagram."""
        self.data_received(data)

    def error_received(self, exc: Exception) -> None:
        """Note that nobody is there (ICMP port unreachable)."""
        self.connection_lost(exc)

    def eof_received(self) -> bool:
        """Note the end; the other direction is closed too."""
        self.end = "closed"
        self._note()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note how it ended."""
        if self.end == "open":
            self.end = "reset" if isinstance(exc, ConnectionError) else "closed"
            self._note()

    def _note(self) -> None:
        self.heard_at = time.monotonic()
        self.told = False
        self._news.set()

    def say(self, probe: Probe) -> int:
        """Send a probe, and return how many bytes that are. What came until now is `before`."""
        self.probe, self.nonce = probe, secrets.token_bytes(NONCE_BYTES)
        self.before += bytes(self.data)
        self.data.clear()
        self.sent = probe.payload(self.nonce)
        if self.transport is None or self.transport.is_closing():
            return 0
        if isinstance(self.transport, asyncio.DatagramTransport):
            self.transport.sendto(self.sent)
        else:
            self.transport.write(self.sent)
        return len(self.sent)


class Line:
    """All connections of one case, and their cost."""

    def __init__(self, host: str, case: Case) -> None:
        self._host = host
        self._case = case
        self._news = asyncio.Event()
        self._talks: list[Talk] = []
        self._started = time.monotonic()
        self.connections = self.bytes_sent = self.bytes_received = 0
        self.answers: list[Answer] = []

    @property
    def _left_s(self) -> float:
        return self._started + self._case.limits.duration_s - time.monotonic()

    async def run(self, steps: Steps) -> list[Answer]:
        """Carry out steps until there are none, or a limit is reached; return all answers."""
        try:
            step = next(steps)
            while self._affordable(step):
                heard = await self._do(step)
                self.answers += heard
                step = steps.send(heard)
        except StopIteration:
            pass
        finally:
            steps.close()
            for talk in self._talks:
                if talk.transport is not None:
                    talk.transport.abort()
        return self.answers

    def _affordable(self, step: Step) -> bool:
        limits = self._case.limits
        size = 0 if step.probe is None else len(step.probe.payload(bytes(NONCE_BYTES)))
        return (
            self._left_s > 0
            and self.connections + step.fresh <= limits.connections
            and self.bytes_sent + size <= limits.bytes_sent
        )

    async def _do(self, step: Step) -> list[Answer]:
        limits = self._case.limits
        if step.fresh:
            if self._talks:
                reset = self._talks[-1].end == "reset"
                await asyncio.sleep(limits.pause_after_reset_s if reset else limits.pause_s)
            try:
                await self._connect(step)
            except (OSError, ssl.SSLError, TimeoutError) as error:
                return [
                    Answer(
                        "",
                        b"",
                        b"",
                        end="reset" if isinstance(error, ConnectionError) else "closed",
                        port=self._case.port,
                    )
                ]
        talk = self._talks[-1]
        if step.probe is not None:
            self.bytes_sent += talk.say(step.probe)
        return await self._listen(step.wait_s)

    async def _connect(self, step: Step) -> None:
        talk = Talk(self._case.limits.bytes_read, self._news)
        self.connections += 1
        loop = asyncio.get_running_loop()
        secure = None if step.inside is None else context(step.inside)
        self._talks.append(talk)
        if self._case.transport == "udp":
            await loop.create_datagram_endpoint(lambda: talk, remote_addr=(self._host, self._case.port))
            return
        async with asyncio.timeout(max(self._left_s, 0.1)):
            transport, _ = await loop.create_connection(
                lambda: talk, self._host, self._case.port, ssl=secure, server_hostname="" if secure else None
            )
        if secure is not None:
            talk.told = False
        if transport.get_extra_info("sockname") == transport.get_extra_info("peername"):
            transport.abort()  # TCP's simultaneous open: nobody is there but ourselves
            raise ConnectionRefusedError

    async def _listen(self, wait_s: float) -> list[Answer]:
        """Wait for an answer on any connection; one has ended where it pauses or its connection ends."""
        until = time.monotonic() + min(wait_s, self._left_s)
        while True:
            self._news.clear()
            now = time.monotonic()
            waiting = [talk for talk in self._talks if not talk.told]
            settled = [
                talk for talk in waiting if talk.end != "open" or now - talk.heard_at >= self._case.limits.quiet_s
            ]
            if settled or now >= until + (self._case.limits.quiet_s if waiting else 0):
                return [self._answer(talk) for talk in settled or waiting]
            pause = min([talk.heard_at + self._case.limits.quiet_s for talk in waiting] or [until]) - now
            try:
                async with asyncio.timeout(max(pause, 0.001)):
                    await self._news.wait()
            except TimeoutError:
                pass

    def _answer(self, talk: Talk) -> Answer:
        talk.told = True
        return Answer(
            "" if talk.probe is None else talk.probe.name,
            talk.sent,
            bytes(talk.data),
            transport=self._case.transport,
            nonce=talk.nonce,
            before=talk.before,
            end=talk.end,
            tls=_tls(talk),
            port=self._case.port,
        )


def context(alpn: tuple[str, ...]) -> ssl.SSLContext:
    """Return what a handshake needs that is to look and not to trust: no verification, and old versions too."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(list(alpn))
    return made


def _tls(talk: Talk) -> Tls | None:
    found = None if talk.transport is None else talk.transport.get_extra_info("ssl_object")
    if found is None:
        return None
    return Tls(found.version() or "", found.selected_alpn_protocol(), client_certificate_wanted=False, certificate=None)


async def ask(host: str, case: Case, steps: Steps) -> Line:
    """Carry out a plan on one port, and return what there was."""
    line = Line(host, case)
    await line.run(steps)
    return line
