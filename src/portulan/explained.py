"""A verdict as a chain: what was seen, what the map says, what the policy says, what decided, what would change it."""

from __future__ import annotations

from datetime import UTC, datetime

from portulan.answer import ask, open_map
from portulan.judge.claiming import judge_by_claims
from portulan.judge.counterfactuals import what_claims_would_change, what_would_change, who_would_be_expected
from portulan.judge.facts import facts_of
from portulan.judge.learning import learn
from portulan.judge.matching import judge_by
from portulan.judge.policy import Rule
from portulan.judge.possible import Possible
from portulan.judge.rules import SEVERITY
from portulan.judge.weigh import number_of
from portulan.judging import Judging, Veil
from portulan.model import TRANSPORTS, Endpoint, Observation, PortRange, Value, replace
from portulan.rulebook import first_sentence, page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from portulan.answer import Answer
    from portulan.judge.counterfactuals import Change, Holder
    from portulan.judge.facts import Fact
    from portulan.judge.matching import Rulebook
    from portulan.model import Direction, Entry, Transport, Verdict
    from portulan.registry.index import Index

TELLING = ("executable", "script", "name", "unit", "image", "user")
"""The keys of a rule that tell whose a socket is."""
MOST_HOMES = 2
"""So many numbers are tried where a program is at home."""


class Bearing(Value):
    """What one rule of a policy has to do with a socket of its number.

    `matches` is None where that cannot be told from here; `failing` are the selectors that keep it from the socket;
    the first rule in force that matches `decides`.
    """

    rule: Rule
    matches: bool | None
    failing: tuple[str, ...]
    expired: bool
    decides: bool


class Chain(Value):
    """The reasons of one verdict, shared by `count` sockets that are alike.

    The verdict is that of the policy where it has one, and `without_policy` the rule that it would fall under
    otherwise. `name` and `means` are what its rule is called and finds; `bearings` is None without a policy;
    `expecting` and `forbidding` are the rules by which a policy would have it so.
    """

    count: int
    seen: tuple[Fact, ...]
    verdict: Verdict
    without_policy: str | None
    name: str
    means: str
    bearings: tuple[Bearing, ...] | None
    changes: tuple[Change, ...]
    expecting: Rule | None
    forbidding: Rule


class Expectation(Value):
    """Who would be expected to hold or dial a number where nobody does, and what would be found of each."""

    direction: Direction
    transport: Transport
    holders: tuple[Holder, ...]


class Explanation(Value):
    """All that there is to say of the verdicts on one number, the most urgent first.

    `rules` are those of the policy that are about the number, None without a policy; `expectations` are told where no
    socket is.
    """

    answer: Answer
    entry: Entry
    rules: tuple[Rule, ...] | None
    chains: tuple[Chain, ...]
    expectations: tuple[Expectation, ...]


def explain(query: str, *, rulebook: Rulebook | None = None, probe: bool = False) -> tuple[Explanation, ...]:
    """Explain the verdicts on a port or on each port of a name that somebody uses; on the first where nobody does.

    Errors as those of `answer.ask`, and of `rulebook.page`.
    """
    answer = ask(query, probe=probe, thorough=True, everywhere=True)
    used = [result for result in answer.results if result.verdicts] or answer.results[:1]
    explaining = _Explaining(open_map(), rulebook)
    return tuple([explaining.explain(result) for result in used])


class _Explaining:
    """Explains answers, with the map and perhaps a policy at hand."""

    def __init__(self, index: Index, rulebook: Rulebook | None) -> None:
        self._index = index
        self._rulebook = rulebook
        self._judging = Judging(index, Veil(with_command_lines=False))
        self._possible = Possible(index.programs(), index.executables, index.protocols())

    def explain(self, answer: Answer) -> Explanation:
        """Explain the verdicts of an answer."""
        entry = answer.entry or self._index.entry(answer.port)
        groups: dict[object, list[Verdict]] = {}
        for verdict in sorted(answer.verdicts or (), key=lambda verdict: verdict.subject.direction == "accept"):
            groups.setdefault(self._alike(verdict), []).append(verdict)
        chains = sorted([self._chain(group) for group in groups.values()], key=lambda one: -_urgency(one.verdict))
        rules = None if self._rulebook is None else _rules_about(self._rulebook.policy.rules, answer)
        expectations = () if chains else self._expectations(answer, entry)
        return Explanation(answer, entry, rules, tuple(chains), expectations)

    def _alike(self, verdict: Verdict) -> object:
        """Return what sockets share that have one chain; a listener's connections have its."""
        subject = verdict.subject
        programs = {(process.executable, process.user) for process in subject.processes}
        direction = "listen" if subject.direction == "accept" else subject.direction
        said = tuple([item.statement for item in verdict.because])
        found = verdict.rule, said, verdict.notes, subject.identification, self._bearings(verdict)
        return found, direction, subject.transport, frozenset(programs), subject.unit, subject.container

    def _chain(self, group: Sequence[Verdict]) -> Chain:
        verdict, subject = group[0], group[0].subject
        judged = self._by_policy(verdict)
        told = page(judged.rule)
        claims = verdict.claims
        changes = what_would_change(
            self._judging.entry_of(subject),
            self._judging.catalogue_of(subject),
            subject,
            subject.identification,
            possible=self._possible,
            homes=self._homes(verdict),
            policy=lambda supposed: self._by_claims_and_policy(supposed, verdict),
        )
        if claims:
            alone = self._judging(subject)
            changes = (*what_claims_would_change(alone, claims, self._by_policy), *changes)
        return Chain(
            count=len(group),
            seen=facts_of([verdict.subject for verdict in group]),
            verdict=judged,
            without_policy=verdict.rule if judged.rule != verdict.rule else None,
            name=told.name,
            means=first_sentence(told.finds),
            bearings=self._bearings(verdict),
            changes=changes,
            expecting=_expecting(group),
            forbidding=_forbidding(subject),
        )

    # ---------------------------------------------------------------------------------------------------- the policy

    def _by_policy(self, verdict: Verdict) -> Verdict:
        return verdict if self._rulebook is None else judge_by(self._rulebook, verdict)[0]

    def _by_claims_and_policy(self, supposed: Verdict, verdict: Verdict) -> Verdict:
        """Judge as the claims on a number have it, unless another number is supposed; and then as the policy has it."""
        is_there = number_of(supposed.subject) == number_of(verdict.subject)
        return self._by_policy(judge_by_claims(supposed, verdict.claims if is_there else ()))

    def _bearings(self, verdict: Verdict) -> tuple[Bearing, ...] | None:
        """Return what each rule of the number has to do with a socket: the one that decides, then the nearest."""
        book, subject = self._rulebook, verdict.subject
        if book is None:
            return None
        deciding = book.decide(subject, verdict.notes).rule
        found = []
        for one in book.about(subject):
            failing, expired = one.failing(subject, verdict.notes), not book.is_in_force(one)
            matches = one.holds(subject, verdict.notes)
            found.append(Bearing(one.rule, matches, failing, expired, one.rule is deciding and not expired))
        return tuple(sorted(found, key=lambda bearing: (not bearing.decides, len(bearing.failing))))

    # ------------------------------------------------------------------------------------------------------- the map

    def _homes(self, verdict: Verdict) -> list[Entry]:
        """Return numbers that are assigned to what a program serves which holds another."""
        subject = verdict.subject
        if subject.direction != "listen" or verdict.judgement not in {"elsewhere", "unexplained"}:
            return []
        catalogue = self._judging.catalogue_of(subject)
        rows = [row for process in subject.processes for row in catalogue[process.executable or ""].own]
        names = dict.fromkeys([name for row in rows for name in row.services])
        assigned = [found for name in names for found in self._index.services(name)]
        numbers = [
            found.ports.first
            for found in assigned
            if found.transport in {None, subject.transport} and found.ports and found.ports.first == found.ports.last
        ]
        return [self._index.entry(number) for number in dict.fromkeys(numbers) if number != number_of(subject)][
            :MOST_HOMES
        ]

    def _expectations(self, answer: Answer, entry: Entry) -> tuple[Expectation, ...]:
        """Tell who would be expected where nobody is."""
        found = []
        for transport in TRANSPORTS:
            if answer.transport not in {None, transport}:
                continue
            uses = [use for use in entry.known_uses if use.transport == transport and use.relation != "malicious"]
            dialled = [use for use in uses if use.direction == "connect"]
            held = entry.on(transport).assignments or len(uses) > len(dialled)
            if held:
                found.append(self._expectation(entry, "listen", transport))
            if dialled:
                found.append(self._expectation(entry, "connect", transport))
        telling = [one for one in found if len(one.holders) > 1]  # more than anybody
        return tuple(telling or found[:1] or [self._expectation(entry, "listen", answer.transport or "tcp")])

    def _expectation(self, entry: Entry, direction: Direction, transport: Transport) -> Expectation:
        socket = _supposed(entry.port, direction, transport)
        return Expectation(direction, transport, who_would_be_expected(entry, socket, self._possible))


def _urgency(verdict: Verdict) -> int:
    return SEVERITY[verdict.attention]


def _supposed(port: int, direction: Direction, transport: Transport) -> Observation:
    """Return a socket of this machine that is not there."""
    here, there = Endpoint("127.0.0.1", 0), Endpoint("127.0.0.1", port)
    dials = direction == "connect"
    return Observation(
        observed_at=datetime.now(UTC),
        host=None,
        perspective="live",
        direction=direction,
        transport=transport,
        local=here if dials else there,
        peer=there if dials else None,
        socket_state=None,
        processes=(),
        processes_missing="not permitted",
        unit=None,
        container=None,
        package=None,
        network_namespace=None,
    )


# ----------------------------------------------------------------------------------------------------- rules to paste


def _rules_about(rules: Sequence[Rule], answer: Answer) -> tuple[Rule, ...]:
    """Return the rules of a policy that name a number."""
    return tuple(
        [
            rule
            for rule in rules
            if any(ports.first <= answer.port <= ports.last for ports in rule.port)
            and (answer.transport is None or not rule.transport or answer.transport in rule.transport)
        ]
    )


def _expecting(alike: Sequence[Verdict]) -> Rule | None:
    """Return the rule under which sockets are as they should be; None where nothing tells them from anybody's."""
    direction: Direction = "connect" if alike[0].subject.direction == "connect" else "listen"
    # A dial is learned only where it asks for a look.
    there = [
        replace(one, subject=replace(one.subject, direction=direction), attention="investigate")
        for one in alike
        if one.subject.direction != "accept" or one is alike[0]
    ]
    for learned in learn(there):
        if not any(getattr(learned.rule, key) for key in TELLING):
            continue
        cited = next((item for item in alike[0].because if item.kind == "use" and item.weight == "decides"), None)
        return replace(learned.rule, **({"reason": cited.statement, "citation": cited.source} if cited else {}))
    return None


def _forbidding(subject: Observation) -> Rule:
    """Return the rule under which nobody is to have the number."""
    port = number_of(subject)
    direction: Direction = "connect" if subject.direction == "connect" else "listen"
    return Rule("forbid", port=(PortRange(port, port),), transport=(subject.transport,), direction=direction)
