"""What to ask a service, in which order, and when to stop. No sockets: steps go out, answers come in.

The order is that of LZR (Izhikevich, Teixeira, Durumeric: "LZR: Identifying Unexpected Internet Services", USENIX
Security 2021): wait, since many services speak first; then what most others answer to, a TLS ClientHello and an HTTP
GET; then what single protocols need. Each answer is looked at for every protocol, whatever was asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.deciding import winner
from portulan.identify.protocols import probes, recognise
from portulan.identify.protocols.http import GET
from portulan.identify.protocols.tls import HELLO
from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from portulan.identify.answers import Answer, Match, Probe
    from portulan.model import Transport

    Steps = Generator["Step", Sequence[Answer], None]


class Limits(Value):
    """How far a question may go: for one port, over all its connections."""

    connections: int = 8
    bytes_sent: int = 4_096
    bytes_read: int = 16_384
    duration_s: float = 6.0
    pause_s: float = 0.05
    pause_after_reset_s: float = 0.25
    listen_s: float = 0.7
    answer_s: float = 0.5
    quiet_s: float = 0.08


NEAR = Limits()
"""For this machine, where an answer takes no way."""
FAR = Limits(duration_s=20.0, listen_s=2.5, answer_s=2.0, quiet_s=0.4)
"""For others."""


class Case(Value):
    """What is asked, and what is known of it before.

    `prior` are names of protocols that are likely, the likeliest first: they decide what is asked first and nothing
    else. `consent`: somebody allowed what may disturb.
    """

    port: int
    transport: Transport = "tcp"
    prior: tuple[str, ...] = ()
    consent: bool = False
    limits: Limits = NEAR


class Step(Value):
    """One thing to do: say `probe` (None: nothing) on a new connection or the latest one, then listen for so long.

    `inside`: the new connection is to finish a TLS handshake first, and to offer these protocols (ALPN, RFC 7301).
    The listening ends with the first answer, on whatever connection of this case it comes.
    """

    probe: Probe | None
    fresh: bool
    wait_s: float
    inside: tuple[str, ...] | None = None


class Seen:
    """What was answered until now, and what it means."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self._matches: list[Match] = []
        self._inside: list[Match] = []

    def add(self, answers: Sequence[Answer]) -> None:
        """Take answers, and let every recogniser look at them."""
        for answer in answers:
            self.answers.append(answer)
            matches = self._matches if answer.tls is None else self._inside
            matches.extend(recognise(answer) if answer.data else ())
            matches.sort(key=lambda match: -match.strength)

    @property
    def inside(self) -> bool:
        """Whether a TLS handshake was finished."""
        return any(answer.tls is not None for answer in self.answers)

    @property
    def match(self) -> Match | None:
        """What wins now: inside TLS, where one got there."""
        return winner(self._inside if self.inside else self._matches)

    @property
    def name(self) -> str | None:
        """The protocol that wins now."""
        match = self.match
        return None if match is None else match.protocol

    def answered(self, probe: Probe) -> bool:
        """Whether there are bytes in answer to a probe."""
        return any(answer.probe == probe.name and answer.data for answer in self.answers)


def questions(case: Case) -> Steps:
    """Yield what to do, step by step, and take what it was answered."""
    seen, limits = Seen(), case.limits
    if case.transport == "udp":
        yield from _specific(case, seen, None)
        return
    seen.add((yield Step(None, fresh=True, wait_s=limits.listen_s)))
    if not seen.answers:
        seen.add((yield Step(HELLO, fresh=False, wait_s=limits.answer_s)))
        if seen.name == "tls":
            yield from _inside(case, seen)
            return
    if seen.name is None or (seen.name == "http" and not seen.answered(GET)):
        seen.add((yield Step(GET, fresh=True, wait_s=limits.answer_s)))
    yield from _specific(case, seen, None)


def _inside(case: Case, seen: Seen) -> Steps:
    """Ask again inside TLS."""
    limits = case.limits
    seen.add((yield Step(None, fresh=True, wait_s=limits.listen_s, inside=("http/1.1",))))
    if seen.inside and seen.name is None:
        seen.add((yield Step(GET, fresh=False, wait_s=limits.answer_s)))
        yield from _specific(case, seen, ("http/1.1",))


def _specific(case: Case, seen: Seen, inside: tuple[str, ...] | None) -> Steps:
    """Ask what single protocols need, until one is named."""
    for probe in _order(case, in_tls=inside is not None):
        if seen.name is not None:
            return
        seen.add((yield Step(probe, fresh=True, wait_s=case.limits.answer_s, inside=inside)))
    if seen.name is None and case.transport == "tcp":
        seen.add((yield Step(None, fresh=False, wait_s=case.limits.duration_s)))


def _order(case: Case, *, in_tls: bool) -> Iterator[Probe]:
    """Return the specific probes: those for what is likely here first, then by rank."""
    allowed = [
        probe
        for probe in probes().values()
        if probe.transport == case.transport
        and probe not in {HELLO, GET}
        and (probe.risk == "none" or case.consent)
        and (probe.in_tls or not in_tls)
    ]
    likely = {name: place for place, name in enumerate(case.prior)}
    return iter(
        sorted(
            allowed,
            key=lambda probe: (min([likely.get(name, len(likely)) for name in probe.speaks]), probe.rank, probe.name),
        )
    )
