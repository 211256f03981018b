"""Settle what several answers of one service mean together: one protocol, or what was seen instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match
from portulan.identify.handshake import overheard
from portulan.identify.protocols import recognise
from portulan.model import Identification

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from portulan.identify.answers import Answer
    from portulan.model import Cost, Tls, Transport

ENOUGH = 0.7
"""Less than so strong a match names nothing."""
APART = 0.1
"""Two protocols that are closer than this contradict each other."""
ECHO = "echo"
"""The one protocol (RFC 862) that gives back what it is sent."""
ECHOED = 8
"""So many bytes of ours at the beginning of an answer are no accident."""

GIVES_BACK = Match(ECHO, LIKELY, "it gives back what it is sent", service_names=("echo",))

# What a server promises by the protocol that it chooses of those offered (ALPN, RFC 7301; RFC 9113, section 3.2). It
# names nothing where an answer does.
_PROMISED = {"h2": "http2", "http/1.1": "http"}

_SEEN_INSTEAD = {
    "echoes": "it gives back what it is sent",
    "contradicts": "its answers mean several things",
    "chatters": "it answers with bytes that no recogniser knows",
    "resets": "it resets the connection",
    "closes": "it closes the connection without a byte",
    "silent": "it takes what it is sent and says nothing",
}


def decide(answers: Iterable[Answer]) -> tuple[Match | None, tuple[Match, ...]]:
    """Return the match that wins over all answers, or None, and all matches that there were, the strongest first."""
    findings = Findings()
    findings.add(answers)
    return findings.match, findings.matches


class Findings:
    """What a service answered until now, and what that means."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.refused = False
        self._found: list[tuple[Match, Answer]] = []
        self._match: Match | None = None

    def add(self, answers: Iterable[Answer]) -> None:
        """Take answers, and let every recogniser look at them."""
        for answer in answers:
            self.answers.append(answer)
            self._found += [(match, answer) for match in recognise(answer)] if answer.data else ()
        self._found.sort(key=lambda found: -found[0].strength)
        self._match = winner(self.matches) or (GIVES_BACK if self._gives_back else None)

    @property
    def tls(self) -> Tls | None:
        """What a finished handshake showed; then nothing outside counts."""
        return next((answer.tls for answer in self.answers if answer.tls is not None), None)

    @property
    def matches(self) -> tuple[Match, ...]:
        """All matches that stand, the strongest first."""
        inside = self.tls is not None
        layer = [(match, answer) for match, answer in self._found if (answer.tls is not None) is inside]
        return tuple([match for match, answer in layer if _stands(match, answer, layer, self.heard)])

    @property
    def match(self) -> Match | None:
        """What wins now."""
        return self._match

    @property
    def name(self) -> str | None:
        """The protocol that wins now."""
        return None if self._match is None else self._match.protocol

    @property
    def source(self) -> Answer | None:
        """The answer that the winner rests on."""
        name, inside = self.name, self.tls is not None
        return next((a for match, a in self._found if match.protocol == name and (a.tls is not None) is inside), None)

    @property
    def heard(self) -> list[Answer]:
        """The answers on the layer that counts."""
        inside = self.tls is not None
        return [answer for answer in self.answers if (answer.tls is not None) is inside]

    @property
    def spoke(self) -> bool:
        """Whether there was a byte, of whatever meaning."""
        return any(answer.data for answer in self.heard)

    @property
    def spoke_first(self) -> bool:
        """Whether there was a byte before anything was said."""
        return self.answered("")

    @property
    def _gives_back(self) -> bool:
        """Whether several questions came back, each whole and nothing else."""
        answered = {answer.probe: answer.data == answer.sent for answer in self.heard if answer.data}
        return len(answered) > 1 and all(answered.values())

    @property
    def echoes(self) -> bool:
        """Whether we were given back what we sent."""
        return any(map(is_echo, self.heard))

    @property
    def answered_nothing(self) -> bool:
        """Whether something was asked on the layer that counts, and nothing came."""
        return any(answer.sent for answer in self.heard) and not self.spoke

    def answered(self, probe: str) -> bool:
        """Whether there are bytes in answer to a probe."""
        return any(answer.probe == probe and answer.data for answer in self.heard)


def _stands(match: Match, answer: Answer, layer: Sequence[tuple[Match, Answer]], heard: Sequence[Answer]) -> bool:
    """Tell whether a match may be believed.

    An echo proves nothing, unless more comes with it that only the protocol would add. Nor does what is answered to
    another question just the same, if to that it does not mean the same: whoever has one answer to everything has not
    understood the question.
    """
    if is_echo(answer) and not (match.strength >= CERTAIN and len(answer.data) > len(answer.sent)):
        return match.protocol == ECHO
    alike = [other for other in heard if other.probe != answer.probe and other.data == answer.data]
    return all(any(found.protocol == match.protocol for found, of in layer if of is other) for other in alike)


def is_echo(answer: Answer) -> bool:
    """Tell whether an answer is what was sent."""
    sent = answer.sent[: len(answer.data)]
    return len(sent) >= ECHOED and answer.data.startswith(sent)


def winner(found: Sequence[Match]) -> Match | None:
    """Return the match that wins, of several that are sorted by strength; None where none does.

    A protocol counts by its strongest match. A special case (`over`) wins against what it is a case of. Where two
    others are about as strong, neither is believed.
    """
    left = _contenders(found)
    if not left or left[0].strength < ENOUGH:
        return None
    if len(left) > 1 and left[0].strength - left[1].strength < APART:
        return None
    return _completed(left[0], found)


def _contenders(found: Sequence[Match]) -> list[Match]:
    """Return the strongest match of each protocol that is not only the general case of another."""
    best: dict[str, Match] = {}
    for match in found:
        best.setdefault(match.protocol, match)
    general = {name for match in best.values() if match.strength >= ENOUGH for name in match.over}
    return [match for match in best.values() if match.protocol not in general]


def _completed(best: Match, found: Sequence[Match]) -> Match:
    """Return a match with what others of the same protocol, or its general case, know: product, version and facts.

    Whoever refused one question for want of authentication wants it, whatever else he answers.
    """
    alike = [match for match in found if match.protocol == best.protocol]
    alike += [match for match in found if match.protocol in best.over]
    named = next((match for match in alike if match.product), best)
    version = named.version or next(
        (m.version for m in alike if m.version and m.product in {None, named.product}), None
    )
    facts = dict(fact for match in reversed(alike) for fact in match.facts)
    told = {match.authentication for match in alike}
    return Match(
        best.protocol,
        best.strength,
        best.reason,
        named.product,
        version,
        tuple(facts.items()),
        best.over,
        best.confirm,
        best.again,
        best.service_names,
        "required" if "required" in told else "none" if "none" in told else None,
    )


def behaviour(findings: Findings) -> str:
    """Name what was seen of a service that has no name."""
    if findings.echoes:
        return "echoes"
    if len([match for match in _contenders(findings.matches) if match.strength >= ENOUGH]) > 1:
        return "contradicts"
    if findings.spoke:
        return "chatters"
    # How the first connection ended counts: to what comes later a service may be less patient.
    ends = [answer.end for answer in findings.heard if answer.end != "open"]
    return {"reset": "resets", "closed": "closes"}[ends[0]] if ends else "silent"


def _overheard(findings: Findings) -> Tls | None:
    """Return what a server of TLS said in clear, where it is named as that and no handshake was finished."""
    source = findings.source
    return None if source is None or findings.name != "tls" else overheard(source.data)


def conclude(
    port: int,
    findings: Findings,
    *,
    transport: Transport = "tcp",
    cost: Cost | None = None,
    transcript: str | None = None,
    remarks: Sequence[str] = (),
) -> Identification:
    """Say what answers on a port, how sure that is and why. `remarks` are further things to be said of the question."""
    match, tls = findings.match, findings.tls
    reasons = [*remarks]
    name, strength, seen = None, 0.0, None
    inside = () if tls is None else ("tls",)
    if match is not None:
        name, strength = match.protocol, match.strength
        reasons.insert(0, match.reason + (" inside TLS" if tls is not None else ""))
    elif tls is not None:
        promised = _PROMISED.get(tls.alpn or "")
        if promised == "http" and findings.answered_nothing:  # then it was none: coturn, too, chooses it
            promised = None
        name, strength = promised or "tls", CERTAIN if promised is None else ENOUGH
        inside = ("tls",) if promised else ()
        reasons.insert(0, f"the server chose {tls.alpn} by ALPN" if promised else "a TLS handshake was finished")
    elif not findings.refused:
        seen = behaviour(findings)
        reasons.insert(0, _SEEN_INSTEAD[seen])
    return Identification(
        port=port,
        transport=transport,
        protocol=name,
        layers=(transport, *inside, *((name,) if name else ())),
        tls=tls or _overheard(findings),
        product=None if match is None else match.product,
        version=None if match is None else match.version,
        confidence=round(strength, 2),
        reasons=tuple(reasons),
        behaviour=seen,
        cost=cost,
        transcript=transcript,
        service_names=() if match is None else match.service_names,
        authentication=None if match is None else match.authentication,
    )
