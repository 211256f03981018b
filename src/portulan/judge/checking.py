"""A policy against a machine or a fleet: what is there unasked, what is not there, what is otherwise.

Whatever order sockets come in, and however often each comes, the findings are the same; what is kept of them grows with
what is found and not with what is looked at.
"""

from __future__ import annotations

from portulan.judge.claiming import ANOTHERS, OWN
from portulan.judge.findings import Finding, Location
from portulan.judge.fingerprints import executable_of, fingerprint, scope_of
from portulan.judge.matching import judge_by
from portulan.judge.phrases import say_difference, say_missing, say_subject
from portulan.judge.rules import FINDINGS, NOTES, RULES, SEVERITY
from portulan.judge.weigh import ENDING_STATES, decisive, number_of
from portulan.model import Incomplete

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portulan.judge.matching import Rulebook, Selecting
    from portulan.judge.policy import Rule
    from portulan.model import Attention, Observation, PortRange, Transport, Verdict

    Host = str | None
    Kind = tuple[str, str]  # a direction and a transport

MOST_COUNTED = 1_000
"""Sockets of one finding that are told apart; more are counted as so many."""

POOL = 16
"""A rule on more numbers than this says little of one of them, and is not what was meant for it."""

OF_PROGRAM = frozenset({"executable", "script", "name", "package", "unit", "image", "user"})
EPHEMERAL = {"windows": (49_152, 65_535), "macos": (49_152, 65_535)}
EPHEMERAL_ON_LINUX = (32_768, 60_999)
"""What a system gives to those who dial as it comes: ip_local_port_range in ip-sysctl of Linux; RFC 6335, section 6."""


class _Matter:
    """One finding in the making: the first of its sockets in a fixed order, and those that were counted."""

    __slots__ = ("code", "company", "failing", "order", "rule", "sockets", "subject")

    def __init__(
        self, code: str, subject: Observation, rule: Rule | None, failing: tuple[str, ...], company: frozenset[str]
    ) -> None:
        self.code = code
        self.subject = subject
        self.company = company
        self.rule = rule
        self.failing = failing
        self.order = _order_of(subject)
        self.sockets = {self.order[:4]}


class Checking:
    """Compares sockets with a policy: `take` each, then ask for `findings`.

    `judge` gives the verdict on a socket without the policy; it is asked only for what the policy does not expect.
    `fail_on` is the attention from which a verdict without a rule of the policy is a finding; `ephemeral` are the
    numbers that this machine gives to those who dial, for what is seen here and now. `is_claimed` tells whether
    somebody has claimed the port of a socket: then its verdict says what comes of it where no rule does.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        judge: Callable[[Observation, frozenset[str]], Verdict],
        *,
        fail_on: Attention = "investigate",
        ephemeral: tuple[int, int] | None = None,
        is_claimed: Callable[[Observation], bool] = lambda _socket: False,
    ) -> None:
        self._rulebook = rulebook
        self._is_claimed = is_claimed
        self._judge = judge
        self._policy = rulebook.policy
        self._least = SEVERITY[fail_on]
        self._ephemeral = ephemeral
        self._matters: dict[tuple[Host, str], _Matter] = {}
        self._there: set[tuple[Host, int, PortRange | None]] = set()  # of which rule, and for which of its numbers
        self._needed: set[int] = set()  # of the rules that have expired
        self._seen: dict[Host, set[Kind] | None] = {}  # None: everything, since it was looked at here
        self._untold = 0
        self._company: frozenset[str] = frozenset()  # of the socket that is being compared
        self.judged = 0
        self.asked = False
        """Whether somebody asked one of the sockets what it speaks."""

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts that sockets were of."""
        return tuple(sorted(self._seen, key=lambda host: (host is not None, host or "")))

    def look_at(self, host: Host) -> None:
        """Take note that a host was looked at, whole, whether or not it has a socket."""
        self._seen[host] = None

    def take(self, subject: Observation, company: frozenset[str] = frozenset()) -> None:
        """Compare one socket; `company` are the programs of all that hold its port, where that is known."""
        self.judged += 1
        self.asked = self.asked or subject.identification is not None
        self._company = company
        self._note_kind(subject)
        if subject.direction == "accept":  # belongs to its listener
            return
        if subject.socket_state in ENDING_STATES and not subject.processes:  # it lasts a minute longer than its program
            return
        notes = self._judge(subject, company).notes if self._rulebook.has_notes else ()
        rule, certain = self._rulebook.decide(subject, notes)
        self._satisfy(subject, rule if certain else None)
        lapsed = self._lapsed(subject, rule) if certain and self._rulebook.expired else None
        if rule is not None and certain:
            if rule.effect == "forbid":
                self._find_unless("PT207", subject, rule, lapsed)
        elif rule is None and self._is_listed(subject):
            claimed = self._judge(subject, company).rule if self._is_claimed(subject) else None
            if claimed == ANOTHERS:
                self._find(claimed, subject, None)
            elif claimed != OWN:
                self._find_unlisted(subject, lapsed)
        else:
            self._untold += not certain
            verdict = self._judge(subject, company)
            least = self._least if certain else SEVERITY["investigate"]  # that it is not known is said already
            if SEVERITY[verdict.attention] >= least:
                self._find_unless(verdict.rule, subject, None, lapsed)

    def findings(self) -> tuple[Finding, ...]:
        """Return what was found, by host, port, transport and rule."""
        found = [self._finding(host, mark, matter) for (host, mark), matter in self._matters.items()]
        found += self._missing()
        found += [self._idle(one.rule) for one in self._rulebook.expired if one.place not in self._needed]
        return tuple(sorted(found, key=_order_of_finding))

    def untold(self) -> tuple[Incomplete, ...]:
        """Return what could not be told for want of what was seen."""
        if not self._untold:
            return ()
        what = (
            f"{self._untold} sockets that rules may be about"
            if self._untold > 1
            else "a socket that a rule may be about"
        )
        return (Incomplete(what, "who has them could not be read", "run as root, or give a record that tells"),)

    # -------------------------------------------------------------------------------------------------- one by one

    def _note_kind(self, subject: Observation) -> None:
        if subject.perspective == "live":
            self._seen[subject.host] = None
            return
        kinds = self._seen.setdefault(subject.host, set())
        if kinds is not None:
            kinds.add((subject.direction, subject.transport))

    def _satisfy(self, subject: Observation, decided: Rule | None) -> None:
        """Take note of the expectations that a socket fulfils, as it does the one that decided, or might."""
        if _is_idle(subject):
            return
        for one in self._rulebook.about(subject):
            if one.rule.effect != "expect" or not self._rulebook.is_in_force(one):
                continue
            wanted = self._wanted(one, subject)
            if not self._there.issuperset(wanted) and (one.rule is decided or one.holds(subject) is not False):
                self._there.update(wanted)

    def _wanted(self, one: Selecting, subject: Observation) -> list[tuple[Host, int, PortRange | None]]:
        """Return what a rule wants to be there that the number of a socket is of."""
        return [(subject.host, one.place, ports) for ports in _about(one.rule, number_of(subject))]

    def _is_listed(self, subject: Observation) -> bool:
        """Tell whether a socket is to be in the policy.

        A TCP socket that does not listen, and a UDP socket with a number that the system gives to those who ask, are
        clients as far as anybody can tell.
        """
        if subject.direction == "connect":
            return self._policy.connections == "listed" and subject.socket_state not in ENDING_STATES
        if _is_idle(subject):
            return False
        first, last = self._range(subject)
        return subject.transport != "udp" or not first <= subject.local.port <= last

    def _range(self, subject: Observation) -> tuple[int, int]:
        if self._ephemeral is not None and subject.perspective == "live":
            return self._ephemeral
        return EPHEMERAL.get(subject.system or "", EPHEMERAL_ON_LINUX)

    def _lapsed(self, subject: Observation, deciding: Rule | None) -> Selecting | None:
        """Return the first rule that let a socket be until it expired, of those above the one that decides now."""
        for one in self._rulebook.about(subject):
            if one.rule is deciding:
                return None
            if not self._rulebook.is_in_force(one) and one.rule.effect != "forbid" and not one.failing(subject):
                return one
        return None

    def _find_unless(self, code: str, subject: Observation, rule: Rule | None, lapsed: Selecting | None) -> None:
        """Make a finding of a socket, unless it is found because a rule that let it be has expired."""
        if lapsed is None:
            self._find(code, subject, rule)
            return
        self._needed.add(lapsed.place)
        self._find("PT206", subject, lapsed.rule)

    def _find_unlisted(self, subject: Observation, lapsed: Selecting | None) -> None:
        """Make a finding of a socket that no rule is about, but perhaps a rule is near."""
        code = "PT208" if subject.direction == "connect" else "PT201"
        near = self._nearest(subject) if lapsed is None else None
        if near is None:
            self._find_unless(code, subject, None, lapsed)
            return
        one, failing = near
        if OF_PROGRAM.intersection(failing):
            code = "PT202"
        elif "address" in failing:
            code = "PT203"
        elif "protocol" in failing:
            code = "PT204"
        self._find(code, subject, one.rule, failing)
        # Whatever else is expected in that place is told of with this.
        for other in self._rulebook.about(subject):
            if other is one or "address" not in other.failing(subject):
                self._there.update(self._wanted(other, subject))

    def _nearest(self, subject: Observation) -> tuple[Selecting, tuple[str, ...]] | None:
        """Return the rule that was meant for a number and that fewest selectors keep from what holds it, and those."""
        best: tuple[Selecting, tuple[str, ...]] | None = None
        for one in self._rulebook.about(subject):
            if one.rule.effect == "forbid" or not _is_narrow(one.rule, number_of(subject)):
                continue
            failing = one.failing(subject)
            if "host" in failing or not self._rulebook.is_in_force(one):
                continue
            if best is None or len(failing) < len(best[1]):
                best = one, failing
        return best

    def _find(self, code: str, subject: Observation, rule: Rule | None, failing: tuple[str, ...] = ()) -> None:
        """Add a socket to a finding; the first in a fixed order stands for all."""
        new = _Matter(code, subject, rule, failing, self._company)
        key = subject.host, mark_of(code, subject)
        matter = self._matters.setdefault(key, new)
        if len(matter.sockets) < MOST_COUNTED:
            matter.sockets |= new.sockets
        if _is_before(new, matter):
            new.sockets = matter.sockets
            self._matters[key] = new

    # ---------------------------------------------------------------------------------------------------- at the end

    def _finding(self, host: Host, mark: str, matter: _Matter) -> Finding:
        code, rule = matter.code, matter.rule
        verdict, _decision = judge_by(self._rulebook, self._judge(matter.subject, matter.company))
        subject = verdict.subject
        title, attention = title_of(code), attention_of(code)
        said, advice = say_subject(subject), verdict.advice
        if code in FINDINGS:
            said = f"{said}; {say_difference(code, rule, matter.failing, subject)}"
            advice = _ADVICE[code].format(port=number_of(subject))
        else:
            statements = [item.statement for item in decisive(verdict.because)]
            said = "; ".join([said, *statements[:2]])
        return Finding(
            code, mark, title, attention, self._place(rule), number_of(subject), subject.transport, rule,
            verdict, subject.direction, host, said, advice, len(matter.sockets),
        )  # fmt: skip

    def _missing(self) -> list[Finding]:
        """Return what rules expect on each host and is not there."""
        expecting = [one for one in self._rulebook.in_force if one.rule.effect == "expect"]
        hosts: list[Host] = [*self.hosts] or [None]
        return [
            self._gone(host, one.rule, ports)
            for host in hosts
            for one in expecting
            if one.is_for(host) and self._would_be_seen(host, one.rule)
            for ports in one.rule.port or (None,)
            if (host, one.place, ports) not in self._there
        ]

    def _would_be_seen(self, host: Host, rule: Rule) -> bool:
        """Tell whether what a rule expects would be in a record: one of listeners by TCP has no dials and no UDP."""
        kinds = self._seen.get(host)
        if kinds is None:
            return True
        transports: tuple[Transport, ...] = rule.transport or ("tcp", "udp")
        return any((rule.direction, transport) in kinds for transport in transports)

    def _gone(self, host: Host, rule: Rule, ports: PortRange | None) -> Finding:
        port = None if ports is None else ports.first
        transport = rule.transport[0] if rule.transport else None
        scope = scope_of("any" if len(rule.address) != 1 else _EXAMPLES.get(rule.address[0], rule.address[0]))
        program = "\0".join(sorted(rule.executable or rule.script or rule.name or rule.unit or rule.package)) or None
        mark = fingerprint("PT205", rule.direction, transport or "tcp", port, scope, program)
        return self._of_rule("PT205", mark, rule, host, say_missing(rule, ports), port=port, transport=transport)

    def _idle(self, rule: Rule) -> Finding:
        port = rule.port[0].first if rule.port else None
        transport = rule.transport[0] if rule.transport else None
        program = "\0".join(sorted(rule.executable)) or None
        mark = fingerprint("PT209", rule.direction, transport or "tcp", port, None, program)
        said = say_difference("PT209", rule, (), None)
        return self._of_rule("PT209", mark, rule, None, said, port=port, transport=transport)

    def _of_rule(
        self, code: str, mark: str, rule: Rule, host: Host, said: str, *, port: int | None, transport: Transport | None
    ) -> Finding:
        return Finding(
            code, mark, title_of(code), attention_of(code), self._place(rule), port, transport, rule,
            None, rule.direction, host, said, _ADVICE[code], 0,
        )  # fmt: skip

    def _place(self, rule: Rule | None) -> Location:
        return Location(self._policy.file, rule.line if rule else 1, rule.column if rule else 1)


_EXAMPLES = {"loopback": "127.0.0.1", "private": "10.0.0.1"}
"""An address of each scope."""

_ADVICE = {
    "PT201": "Stop it, or expect it: portulan learn writes the rule.",
    "PT202": "Find out who put it there, or change the rule.",
    "PT203": "Bind it to the address that was meant, or change the rule.",
    "PT204": "Find out what answers there: portulan {port} --probe.",
    "PT205": "Start it, or take the rule out of the policy.",
    "PT206": "Renew the rule, or stop what it allowed.",
    "PT208": "Find out what it sends, or allow it.",
    "PT209": "Take the rule out of the policy.",
}


def title_of(code: str) -> str:
    """Return what a code means, in words."""
    if code in FINDINGS:
        return FINDINGS[code][1]
    return (RULES.get(code) or NOTES[code])[0].replace("-", " ")


def attention_of(code: str) -> Attention:
    """Return the attention that a code deserves; a note's deserves none by itself."""
    if code in FINDINGS:
        return FINDINGS[code][2]
    return RULES[code][2] if code in RULES else "ok"


def mark_of(code: str, subject: Observation) -> str:
    """Return the fingerprint of a finding about a socket."""
    dials = subject.direction == "connect" and subject.peer is not None
    address = subject.peer.address if dials and subject.peer is not None else subject.local.address
    return fingerprint(
        code, subject.direction, subject.transport, number_of(subject), scope_of(address), executable_of(subject)
    )


def _about(rule: Rule, number: int) -> list[PortRange | None]:
    """Return those of a rule's numbers and ranges that have a number; None for a rule about any."""
    if not rule.port:
        return [None]
    return [ports for ports in rule.port if ports.first <= number <= ports.last]


def _is_idle(subject: Observation) -> bool:
    """Tell whether a socket has a number and waits for nobody there."""
    return subject.socket_state == "bound" and subject.transport != "udp"


def _is_narrow(rule: Rule, number: int) -> bool:
    return any(ports is not None and ports.last - ports.first < POOL for ports in _about(rule, number))


def _order_of(subject: Observation) -> tuple[object, ...]:
    """Return what sockets are sorted by, so that the same one is told first whatever order they come in."""
    peer = subject.peer
    pids = tuple(sorted([process.pid for process in subject.processes]))
    return (
        subject.local.address,
        subject.local.port,
        peer.address if peer else "",
        peer.port if peer else 0,
        pids,
        subject.network_namespace or 0,
        subject.inode or 0,
        subject.observed_at,
    )


def _is_before(one: _Matter, other: _Matter) -> bool:
    if one.order != other.order:
        return one.order < other.order
    return one.subject != other.subject and repr(one.subject) < repr(other.subject)


def _order_of_finding(finding: Finding) -> tuple[object, ...]:
    return (
        finding.host or "",
        -1 if finding.port is None else finding.port,
        finding.transport or "",
        finding.rule,
        finding.location.line,
        finding.fingerprint,
    )
