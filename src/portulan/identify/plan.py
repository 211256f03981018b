"""What to ask a service next, given what it answered until now, and when to stop. Pure functions; no sockets.

The order is that of LZR (Izhikevich, Teixeira, Durumeric: "LZR: Identifying Unexpected Internet Services", USENIX
Security 2021): wait, since many services speak first; then what most others answer to, a TLS ClientHello and an HTTP
GET; then what single protocols need. Each answer is looked at for every protocol, whatever was asked.

A connection on which nothing came back stays open while the next question is asked on another, so that a slow answer
still finds somebody who listens. In the end they are closed in their order: whoever serves one connection at a time
then comes to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Probe
from portulan.identify.deciding import Findings
from portulan.identify.protocols import probes
from portulan.identify.protocols.http import GET
from portulan.identify.protocols.http2 import PREFACE
from portulan.identify.protocols.tls import HELLO
from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Reaction
    from portulan.model import Transport

_IN_TLS_TOO = frozenset({"tls", "http", "http2", "grpc"})
NONCE = bytes(16)
"""As many bytes as a nonce has, to see how long a payload becomes."""
RANDOM = Probe("random", lambda nonce: nonce, ("nothing",))
"""Sixteen random bytes: what is answered to them as to a question was no answer to the question."""
_GENERAL = ("", HELLO.name, GET.name)
BOTH, PLAIN, NONE = ("h2", "http/1.1"), ("http/1.1",), ()
"""What is offered inside TLS (ALPN): both to see what the server prefers, then the one that is spoken here; nothing
where the server takes neither."""


class Limits(Value):
    """How far a question may go: for one port, over all its connections.

    `listen_s` is how long a service may take to speak first, `answer_s` to answer; `quiet_s` is the pause that ends an
    answer; `patience_s` counts from the beginning and is how long connections without an answer are kept for one.
    """

    connections: int = 8
    bytes_sent: int = 4_096
    bytes_read: int = 16_384
    duration_s: float = 6.0
    pause_s: float = 0.05
    pause_after_reset_s: float = 0.25
    listen_s: float = 0.7
    answer_s: float = 0.4
    quiet_s: float = 0.08
    patience_s: float = 4.9
    hang_up_s: float = 0.12


NEAR = Limits()
"""For this machine, where an answer takes no way."""
FAR = Limits(duration_s=20.0, listen_s=2.5, answer_s=1.5, quiet_s=0.4, patience_s=17.0, hang_up_s=0.3)
"""For others."""
NEAR_UDP = Limits(connections=60, listen_s=0.0, answer_s=0.1, patience_s=4.0)
"""A datagram needs no connection, and a socket costs nobody anything but us."""
FAR_UDP = Limits(connections=60, duration_s=12.0, listen_s=0.0, answer_s=0.3, patience_s=10.0)


ALL_ALIKE = 6
"""After so many connections nobody is asked on who was silent to all of them, or reset them all."""


UNKNOWN = 3
"""So many answers by UDP that nobody knows are enough: more questions would only be more to misunderstand."""


class Case(Value):
    """What is asked, and what is known of it before.

    `prior` are names of protocols that are likely, the likeliest first: they decide what is asked first and nothing
    else. `programs` are the names of the programs that hold the port, `speaks` the protocols that those are known for,
    where that is known. `consent`: somebody allowed what may disturb. `near`: it is on this machine.
    """

    port: int
    transport: Transport = "tcp"
    prior: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    speaks: tuple[str, ...] = ()
    consent: bool = False
    near: bool = True

    @property
    def limits(self) -> Limits:
        """How far the question may go."""
        if self.transport == "udp":
            return NEAR_UDP if self.near else FAR_UDP
        return NEAR if self.near else FAR


class Step(Value):
    """One thing to do: say `probe` (None: nothing) on a new connection or the latest one, then listen for so long.

    `inside`: the new connection finishes a TLS handshake first, and offers these protocols. `hang_up`: end the oldest
    connection that is still open before. `say_no_more`: end only our direction of that, and listen on. The listening
    ends with the first answer, on whatever connection.
    """

    probe: Probe | None
    fresh: bool
    wait_s: float
    inside: tuple[str, ...] | None = None
    hang_up: bool = False
    say_no_more: bool = False


class Asked(Findings):
    """What was asked and answered until now."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.open: tuple[bool, ...] = ()
        self.over = False  # it takes no connections, or no more
        self.remarks: list[str] = []
        self.unfinished = 0  # so many handshakes of TLS failed
        self.bytes_sent = 0

    def note(self, step: Step, answers: tuple[Answer, ...], *, still_open: tuple[bool, ...]) -> None:
        """Take what a step brought, and which connections are still open, in the order in which they were made."""
        self.steps.append(step)
        self.bytes_sent += _size(step.probe)
        self.open = still_open
        self.add(answers)

    @property
    def connections(self) -> int:
        """How many connections were made."""
        return sum([step.fresh for step in self.steps])

    def has_asked(self, probe: Probe, *, inside: bool) -> bool:
        """Whether a probe was sent on this layer."""
        secure = False
        for step in self.steps:
            secure = step.inside is not None if step.fresh else secure
            if step.probe is not None and step.probe.name == probe.name and secure is inside:
                return True
        return False

    @property
    def reactions(self) -> tuple[str, ...]:
        """How the ClientHello was taken, that and the GET, and each other probe; nothing inside TLS."""
        hello = None if self.tls is not None else self._reaction_to(HELLO)
        if hello is None:
            return ()
        get = self._reaction_to(GET)
        both = () if get is None else (f"{hello}/{get}",)
        others = [step.probe for step in self.steps if step.probe not in {None, HELLO, GET}]
        return (hello, *both, *[f"{probe.name}:{self._reaction_to(probe)}" for probe in others if probe is not None])

    @property
    def takes_all_alike(self) -> bool:
        """Whether every question was met with silence, or every one with a reset: so it cannot tell them apart."""
        return len({reaction.rpartition(":")[2].partition("/")[0] for reaction in self.reactions}) == 1 and (
            self.reactions[1:2] in {("silent/silent",), ("resets/resets",)}
        )

    def _reaction_to(self, probe: Probe) -> Reaction | None:
        if not any(step.probe == probe for step in self.steps):
            return None
        heard = [answer for answer in self.heard if answer.probe == probe.name]
        if any(answer.data for answer in heard):
            return "answers"
        ends = {answer.end for answer in heard}
        return "resets" if "reset" in ends else "closes" if "closed" in ends else "silent"

    @property
    def may_go_on(self) -> bool:
        """Whether the latest connection is there to say something more on."""
        return bool(self.open) and self.open[-1]


def next_step(case: Case, asked: Asked, elapsed_s: float) -> Step | None:
    """Return what to do next, `elapsed_s` after the beginning; None where the question is over."""
    step = _wanted(case, asked, elapsed_s)
    if step is not None and elapsed_s < case.limits.duration_s:
        return step
    return None


def _wanted(case: Case, asked: Asked, elapsed_s: float) -> Step | None:
    if asked.over:
        return None
    if case.transport == "udp":
        return _datagram(case, asked, elapsed_s)
    if not asked.steps:
        return Step(None, fresh=True, wait_s=case.limits.listen_s)
    if why_left_alone(case) is not None or _is_turned_away(asked):
        return None
    if asked.echoes and (asked.has_asked(GET, inside=asked.tls is not None) or asked.name is not None):
        return None  # a second question tells whether it gives back everything
    inside = asked.name == "tls" or asked.tls is not None
    step = _secure(case, asked) if inside else _opening(case, asked)
    if step is None and not _is_settled(asked):
        step = _doubt(case, asked, inside=inside) or _specific(case, asked, inside=inside)
        step = step or _patience(case, asked, elapsed_s)
    return step


def _is_settled(asked: Asked) -> bool:
    """Tell whether there is a name and nothing left that could shake it."""
    match = asked.match
    return match is not None and match.protocol != HELLO.name and match.strength >= CERTAIN


def _is_turned_away(asked: Asked) -> bool:
    """Tell whether a second connection ended as the first did, before anything was said on that."""
    ended = [answer for answer in asked.answers if answer.end != "open" and not answer.data]
    if asked.tls is not None and asked.tls.client_certificate_wanted:  # in TLS 1.3 it ends after the handshake
        return any(answer.tls is not None and not answer.sent for answer in ended)
    return len(asked.answers) == len(ended) > 1 and not ended[0].sent


def _opening(case: Case, asked: Asked) -> Step | None:
    """Ask what most services answer to: a ClientHello, then a GET. HTTP is asked even where it is known, for more."""
    wait_s, hello = case.limits.answer_s, asked.has_asked(HELLO, inside=False)
    if asked.has_asked(GET, inside=False):
        return _make_way(case, asked)
    if asked.name not in {None, "http"}:
        return None
    if not asked.spoke and not hello:
        # HTTP comes after the ClientHello in any case: some servers of TLS answer it in plain HTTP.
        likely = (
            probe for probe in _order(case, asked, inside=False, likely=True) if not _IN_TLS_TOO & {*probe.speaks}
        )
        first = asked.connections == 1 and asked.may_go_on
        return Step(next(likely, HELLO) if first else HELLO, fresh=not first, wait_s=wait_s)
    if asked.spoke_first and any(match.confirm is not None for match in asked.matches):
        return None  # its own words suggest a better question
    return _afford(case, asked, Step(GET, fresh=True, wait_s=wait_s))


def _make_way(case: Case, asked: Asked) -> Step | None:
    """Say no more on the connection with the ClientHello, where the GET was not answered either.

    Some servers of HTTP serve one connection at a time, and wait there for the end of a line that never comes. Who is
    only late can still speak.
    """
    silent = not asked.spoke and len(asked.open) == 2 and all(asked.open)  # noqa: PLR2004  # that one, and the GET's
    if not silent or asked.steps[-1].probe != GET:
        return None
    return Step(None, fresh=False, wait_s=case.limits.hang_up_s, say_no_more=True)


def _secure(case: Case, asked: Asked) -> Step | None:
    """Finish a handshake, and ask again inside: wait, then a GET."""
    limits = case.limits
    tries = [step.inside for step in asked.steps if step.inside is not None]
    if not tries:
        return _afford(case, asked, Step(None, fresh=True, wait_s=limits.listen_s, inside=BOTH))
    if asked.tls is None:
        return Step(None, fresh=True, wait_s=limits.listen_s, inside=NONE) if len(tries) == 1 else None
    if asked.name not in {None, "http2"}:
        return None
    if not asked.has_asked(GET, inside=True):
        spoken = asked.tls.alpn == "h2" or not asked.may_go_on
        offer = _offer(GET, asked) if spoken else None
        return _afford(case, asked, Step(GET, fresh=spoken, wait_s=limits.answer_s, inside=offer))
    if asked.tls.alpn == "h2" and not asked.has_asked(PREFACE, inside=True):
        return _afford(case, asked, Step(PREFACE, fresh=True, wait_s=limits.answer_s, inside=BOTH))
    return None


def _doubt(case: Case, asked: Asked, *, inside: bool) -> Step | None:
    """Ask what would shake a match that is not certain: what its protocol suggests, or sixteen random bytes."""
    wait_s = case.limits.answer_s
    for match in asked.matches:
        probe = match.confirm
        if probe is not None and match.strength < CERTAIN and not asked.has_asked(probe, inside=inside):
            fresh = match.again or not asked.may_go_on
            return _afford(case, asked, Step(probe, fresh, wait_s, _offer(probe, asked) if fresh else None))
    source = asked.source
    if source is None or source.probe in _GENERAL or asked.name == HELLO.name or any(map(asked.answered, _GENERAL)):
        return None  # it was answered to a question that it was no answer to, and told apart
    if asked.has_asked(RANDOM, inside=inside):
        return None
    return _afford(case, asked, Step(RANDOM, fresh=True, wait_s=wait_s, inside=_offer(RANDOM, asked)))


def _specific(case: Case, asked: Asked, *, inside: bool) -> Step | None:
    """Ask what single protocols need: what is likely here first, then by rank; of who spoke first the likely alone."""
    if (asked.match is not None and asked.name != HELLO.name) or (inside and asked.tls is None):
        return None
    if asked.connections >= ALL_ALIKE and asked.takes_all_alike:
        return None
    for probe in _order(case, asked, inside=inside, likely=asked.spoke_first):
        step = Step(probe, fresh=True, wait_s=case.limits.answer_s, inside=_offer(probe, asked))
        if _afford(case, asked, step):
            return step
    return None


def _patience(case: Case, asked: Asked, elapsed_s: float) -> Step | None:
    """Listen to what is still open, then end it in its order."""
    limits = case.limits
    if asked.match is not None or asked.spoke or not any(asked.open):
        return None
    if elapsed_s < limits.patience_s:
        return Step(None, fresh=False, wait_s=limits.patience_s - elapsed_s)
    return Step(None, fresh=False, wait_s=limits.hang_up_s, hang_up=True)


def _datagram(case: Case, asked: Asked, elapsed_s: float) -> Step | None:
    """Ask by UDP: each question on a socket of its own, all of them again if nobody answers, then wait."""
    limits = case.limits
    if why_left_alone(case) is not None or _is_settled(asked) or (asked.echoes and asked.match):
        return None
    if asked.match is not None:
        return _doubt(case, asked, inside=False)
    if len([answer for answer in asked.answers if answer.data]) >= UNKNOWN:
        return None
    for rounds in (1, 2):
        for probe in _order(case, None, inside=False):
            said = len([step for step in asked.steps if step.probe is not None and step.probe.name == probe.name])
            step = _afford(case, asked, Step(probe, fresh=True, wait_s=limits.answer_s))
            if said < rounds and step is not None:
                return step
        if elapsed_s < limits.patience_s * rounds / 2 and any(asked.open):
            return Step(None, fresh=False, wait_s=limits.patience_s * rounds / 2 - elapsed_s)
    return None


def _order(case: Case, asked: Asked | None, *, inside: bool, likely: bool = False) -> Iterator[Probe]:
    """Yield the probes that were not sent yet, those for what is likely here first.

    Then come those for services that take another probe as this one did, then a ClientHello and a GET, then the others;
    among them the rank decides.
    `likely` leaves out all but the first.
    """
    reactions = () if asked is None else asked.reactions
    place = {name: at for at, name in enumerate(dict.fromkeys((*case.speaks, *case.prior)))}
    found = [
        (
            *min([(place.get(name, len(place)), nth) for nth, name in enumerate(probe.speaks)]),
            _unlike(probe, reactions),
            probe.rank,
            probe.name,
            probe,
        )
        for probe in probes().values()
        if probe.transport == case.transport
        and (probe.risk == "none" or case.consent)
        and (probe.in_tls or not inside)
        and (asked is None or not asked.has_asked(probe, inside=inside))
    ]
    for at, *_, probe in sorted(found):
        if at < len(place) or not likely:
            yield probe


def _unlike(probe: Probe, reactions: tuple[str, ...]) -> int:
    """Tell how little what a probe is for is like this service: 0 to 2."""
    alike = [reaction for reaction in reactions if reaction in probe.after]
    if any(":" in reaction for reaction in alike):
        return 0
    return 1 if alike or not (reactions and probe.after) else 2


def _offer(probe: Probe, asked: Asked) -> tuple[str, ...] | None:
    """Return what to offer in the handshake before a probe, as far as the server took an offer; None outside TLS."""
    tries = [step.inside for step in asked.steps if step.inside is not None]
    if not tries:
        return None
    if tries[1:2] == [NONE]:
        return NONE
    return BOTH if "http2" in probe.speaks else PLAIN


def _afford(case: Case, asked: Asked, step: Step) -> Step | None:
    """Return a step where the limits allow it."""
    limits = case.limits
    enough = asked.connections + step.fresh <= limits.connections
    return step if enough and asked.bytes_sent + _size(step.probe) <= limits.bytes_sent else None


def _size(probe: Probe | None) -> int:
    return 0 if probe is None else len(probe.payload(NONCE))


# ------------------------------------------------------------------------------------------------- what is left alone

PRINTERS = frozenset(range(9100, 9108))
"""Raw printing: whatever comes is put on paper."""
CONTROLLERS = frozenset(
    {
        *(102, 502, 789, 1089, 1090, 1091, 1911, 1962, 2404, 2455, 4840, 4911, 5006, 5007, 5094, 9600, 11740),
        *(18245, 18246, 19999, 20000, 20547, 34962, 34963, 34964, 34980, 44818, 47808),
    }
)
"""What runs machines: S7, Modbus, Foundation Fieldbus, Niagara Fox, IEC 104, CODESYS, OPC UA, MELSEC, HART-IP, FINS,
SRTP, DNP3, PROFINET, EtherCAT, EtherNet/IP, BACnet and their kin."""
DEBUGGERS = frozenset({"debugpy", "dlv", "gdbserver", "lldb-server", "netcoredbg", "pydevd", "rr", "vsdbg"})
"""Programs that take foreign bytes for commands, or stop what they debug."""
_PRINTING = frozenset({"jetdirect", "hp-pdl-datastr", "pdl-datastream"})


def why_left_alone(case: Case) -> str | None:
    """Return why a port is only listened to; None where it may be asked.

    A number proves nothing, but it is all that there is before the first question. It does not count where a program
    holds the port that is known for something else; nor, for controllers, on this machine: those are other machines.
    """
    if case.consent:
        return None
    held = DEBUGGERS.intersection(case.programs)
    if held:
        return f"{min(held)} holds it, and a debugger is harmed by foreign bytes"
    known = bool(case.speaks) and not _PRINTING.intersection(case.speaks)
    if case.port in PRINTERS and not known:
        return "printers print whatever comes to this port"
    if case.port in CONTROLLERS and not known and not case.near:
        return "controllers of machines use this port"
    return None
