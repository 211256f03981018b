"""A policy's rules against what is there: which is the first that is about a socket.

A selector holds, fails, or cannot be told: whoever may not read the owner of a socket cannot say that it is not nginx.
The first rule that holds decides. Where it cannot be told whether an earlier one does, the decision is certain only if
both let it be, or both forbid it.
"""

from __future__ import annotations

from bisect import bisect_right

from portulan.judge.selectors import host_pattern, selectors
from portulan.judge.weigh import number_of
from portulan.model import Evidence, Value, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from portulan.judge.policy import Policy, Rule
    from portulan.judge.selectors import Test
    from portulan.model import Note, Observation, Verdict, Weight


MOST_STRETCHES = 64
"""A rule about more stretches of numbers than this is entered once and not in each."""


class Decision(Value):
    """The rule that is about a socket, or None; not `certain` where it may be, as far as could be seen."""

    rule: Rule | None
    certain: bool


NO_RULE = Decision(rule=None, certain=True)


class Selecting:
    """A rule ready to be compared: its selectors by name, each a test that holds, fails or cannot tell."""

    __slots__ = ("_is_host", "place", "rule", "tests")

    def __init__(self, place: int, rule: Rule, tests: dict[str, Test], is_host: Callable[[str], bool] | None) -> None:
        self.place = place
        self.rule = rule
        self.tests = tests
        self._is_host = is_host

    def is_for(self, host: str | None) -> bool:
        """Tell whether a rule is about a host; one about some hosts is about none without a name."""
        return self._is_host is None or (host is not None and self._is_host(host))

    def holds(self, observation: Observation, notes: Sequence[Note] = ()) -> bool | None:
        """Tell whether every selector holds; None where none fails and one cannot be told."""
        told: bool | None = True
        for test in self.tests.values():
            holds = test(observation, notes)
            if holds is None:
                told = None
            elif not holds:
                return False
        return told

    def failing(self, observation: Observation, notes: Sequence[Note] = ()) -> tuple[str, ...]:
        """Return the selectors that fail, the cheapest first."""
        return tuple([name for name, test in self.tests.items() if test(observation, notes) is False])


class Rulebook:
    """The rules of a policy, ready to be compared with many sockets.

    `now` is when: rules that have expired are kept apart. `names` are the addresses of hosts that rules name as peers,
    as far as somebody looked them up.
    """

    def __init__(self, policy: Policy, *, now: datetime, names: Mapping[str, frozenset[str]] | None = None) -> None:
        self.policy = policy
        tags = {tag.name: tag.hosts for tag in policy.tags}
        ready = [_make_ready(place, rule, tags, names or {}) for place, rule in enumerate(policy.rules)]
        self.expired = tuple([one for one in ready if is_expired(one.rule, now)])
        self.in_force = tuple([one for one in ready if not is_expired(one.rule, now)])
        self.has_notes = any(one.rule.note for one in self.in_force)
        """Whether a rule forbids notes: then the notes on a socket are needed to decide."""
        self._expired_places = {one.place for one in self.expired}
        # Between two of these numbers, every number is in the same rules.
        edges = {edge for rule in policy.rules for ports in rule.port for edge in (ports.first, ports.last + 1)}
        self._edges = sorted(edges)
        self._by_stretch: dict[int, list[Selecting]] = {}
        self._wide: list[Selecting] = []
        for one in ready:
            self._enter(one)
        self._about: dict[tuple[int, str, str], tuple[Selecting, ...]] = {}
        self._deciding: dict[tuple[int, str, str], tuple[Selecting, ...]] = {}

    def _enter(self, one: Selecting) -> None:
        """Enter a rule where its numbers are; one about many stretches, or any number, among those to ask each time."""
        stretches: set[int] = set()
        for ports in one.rule.port:
            stretches.update(range(bisect_right(self._edges, ports.first), bisect_right(self._edges, ports.last) + 1))
        if not stretches or len(stretches) > MOST_STRETCHES:
            self._wide.append(one)
            return
        for stretch in stretches:
            self._by_stretch.setdefault(stretch, []).append(one)

    def decide(self, observation: Observation, notes: Sequence[Note] = ()) -> Decision:
        """Return the first rule that is about a socket with these notes."""
        key = self._key(observation)
        rules = self._deciding.get(key)
        if rules is None:
            rules = tuple([one for one in self.about(observation) if one.place not in self._expired_places])
            self._deciding[key] = rules
        doubtful: list[Rule] = []
        for one in rules:
            holds = one.holds(observation, notes)
            if holds is None:
                doubtful.append(one.rule)
            elif holds:
                if any((other.effect == "forbid") != (one.rule.effect == "forbid") for other in doubtful):
                    break
                return Decision(one.rule, certain=True)  # whichever of them it is, they say the same
        return Decision(doubtful[0], certain=False) if doubtful else NO_RULE

    def judge(self, verdict: Verdict) -> Verdict:
        """Return a verdict as the policy has it."""
        return judge_by(self, verdict)[0]

    def about(self, observation: Observation) -> tuple[Selecting, ...]:
        """Return the rules about the number, transport and direction of a socket, expired ones too, in their order."""
        key = self._key(observation)
        found = self._about.get(key)
        if found is None:
            number = number_of(observation)
            near = sorted([*self._by_stretch.get(key[0], ()), *self._wide], key=lambda one: one.place)
            found = self._about[key] = tuple([one for one in near if _is_about(one.rule, observation, number)])
        return found

    def is_in_force(self, one: Selecting) -> bool:
        """Tell whether a rule has not expired."""
        return one.place not in self._expired_places

    def _key(self, observation: Observation) -> tuple[int, str, str]:
        return bisect_right(self._edges, number_of(observation)), observation.transport, observation.direction


def _make_ready(
    place: int, rule: Rule, tags: Mapping[str, tuple[str, ...]], names: Mapping[str, frozenset[str]]
) -> Selecting:
    hosts = (*rule.host, *[host for tag in rule.tag for host in tags.get(tag, ())])
    is_host = host_pattern(hosts) if hosts else None
    return Selecting(place, rule, selectors(rule, is_host, names), is_host)


def is_expired(rule: Rule, now: datetime) -> bool:
    """Tell whether a rule no longer works."""
    return rule.expires is not None and rule.expires <= now


def _is_about(rule: Rule, observation: Observation, number: int) -> bool:
    if rule.direction != observation.direction or (rule.transport and observation.transport not in rule.transport):
        return False
    return not rule.port or any(ports.first <= number <= ports.last for ports in rule.port)


# -------------------------------------------------------------------------------------------------- what a policy says


def judge_by(rulebook: Rulebook, verdict: Verdict) -> tuple[Verdict, Decision]:
    """Return a verdict as a policy has it, and the decision.

    What is expected or allowed needs no look, and its notes stay; what is forbidden is to be investigated; where it
    cannot be told whether a rule is about it, the verdict stays as it is, and says so.
    """
    decision = rulebook.decide(verdict.subject, verdict.notes)
    rule, certain = decision
    if rule is None:
        return verdict, decision
    said = say_rule(rulebook.policy, rule, verdict, certain=certain)
    if not certain:
        return replace(verdict, because=(*verdict.because, *said)), decision
    because = (*said, *[_as_context(item) for item in verdict.because])
    if rule.effect != "forbid":
        changed = replace(verdict, judgement="expected", attention="ok", rule="PT200", because=because, advice=None)
        return changed, decision
    advice = f"Stop it, or change the rule{f' with {rule.owner}' if rule.owner else ''}."
    changed = replace(
        verdict, judgement="forbidden", attention="investigate", rule="PT207", because=because, advice=advice
    )
    return changed, decision


def say_rule(policy: Policy, rule: Rule, verdict: Verdict, *, certain: bool) -> tuple[Evidence, ...]:
    """State what a rule says of a socket, with its place, and what it cites."""
    does = {"expect": "expects it", "allow": "allows it", "forbid": "forbids it"}[rule.effect]
    noted = [note.statement for note in verdict.notes if note.rule in rule.note]
    why = "; ".join([*noted, *([rule.reason] if rule.reason else [])])
    said = f"the policy {does}{f': {why}' if why else ''}"
    if not certain:
        said = f"the policy {does} if it is what the rule is about, which cannot be told from here"
    weight: Weight = "decides" if certain else "context"
    evidence = (Evidence("policy", said, f"{policy.file}:{rule.line}", weight),)
    if rule.citation is None or not certain:
        return evidence
    return (*evidence, Evidence("policy", "the rule cites a source", rule.citation, "supports"))


def _as_context(item: Evidence) -> Evidence:
    return item if item.weight == "context" else replace(item, weight="context")
