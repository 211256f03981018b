"""Join what the rooms know: the map, the territory and the verdict on one port or one machine.

Each room is imported only when a question needs it, because start-up is part of the answer.
"""

from __future__ import annotations

import sys
from itertools import starmap

from portulan.errors import NotFound, NotSupported, RecordingError, UsageError
from portulan.model import PORTS, TRANSPORTS, Incomplete, Value, replace, tier_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from portulan.claimed import Claimed
    from portulan.judge.matching import Rulebook
    from portulan.judging import Glance
    from portulan.model import Assignment, Claim, Entry, Episode, Observation, Tier, Transport, Verdict
    from portulan.observe import Survey
    from portulan.observe.readers import Reading
    from portulan.observe.redirects import Rules
    from portulan.probed import Probed
    from portulan.registry.index import Index


class Answer(Value):
    """Everything Portulan has to say of one port number; what was not asked is None.

    `transport` is the one that the question was narrowed to, or None. `history` is what a watch recorded of the number,
    the most recent first; None where there is no recording. `recorded` is how many episodes that has of the number, of
    which `history` has no more than were asked for. `claims` are those on the number; None unless verdicts were asked.
    """

    query: str
    port: int
    transport: Transport | None
    tier: Tier
    entry: Entry | None
    observations: tuple[Observation, ...] | None
    verdicts: tuple[Verdict, ...] | None
    incomplete: tuple[Incomplete, ...]
    history: tuple[Episode, ...] | None = None
    recorded: int = 0
    claims: tuple[Claim, ...] | None = None

    @property
    def results(self) -> tuple[Answer, ...]:
        """The answer itself, as a name has one for each of its ports."""
        return (self,)


class NameAnswer(Value):
    """Everything Portulan has to say of a service name: its assignments, and an answer for each of its ports."""

    query: str
    services: tuple[Assignment, ...]
    results: tuple[Answer, ...]


def ask(
    query: str | int,
    *,
    map_wanted: bool = True,
    territory: bool = True,
    with_command_lines: bool = False,
    history: str | None = None,
    most_episodes: int | None = None,
    probe: bool = False,
    policy: Rulebook | None = None,
    **options: bool,
) -> Answer | NameAnswer:
    """Answer a port number (`2528`, `2528/tcp`) or a service name (`ssh`, `ncr_ccl`).

    `map_wanted` without `territory` is the map alone, `territory` without `map_wanted` the sockets alone; both together
    give the verdicts too. `history` is the recording to ask beside the territory, instead of the one that is there
    (`observe.find_recording`); `most_episodes` is how many of it are told for a port, the most recent, all where it is
    None. `probe` asks the listeners here what they speak, for the verdicts to weigh; `policy` has the
    last word on them. Options go to `observe.survey`.
    Raises UsageError for what cannot be a port or name, NotFound for a name that nobody registered, and RecordingError
    for a `history` that is none.
    """
    query = str(query)
    port, transport, services = resolve(query)
    recording = history, most_episodes
    judged = map_wanted and territory
    rules = _rules() if judged else None  # who asks for sockets alone wants no programs started
    claims = _claims() if judged else None
    if port is not None:
        return _answer(
            query,
            port,
            transport,
            map_wanted,
            territory,
            with_command_lines,
            rules,
            recording,
            options,
            probe=probe,
            policy=policy,
            claims=claims,
        )
    numbers = sorted({n for a in services if a.ports for n in range(a.ports.first, a.ports.last + 1)})
    results = [
        _answer(
            query,
            number,
            transport,
            map_wanted,
            territory,
            with_command_lines,
            rules,
            recording,
            options,
            probe=probe,
            policy=policy,
            claims=claims,
        )
        for number in numbers
    ]
    return NameAnswer(query, services, tuple(results))


def lookup(query: str | int) -> Answer | NameAnswer:
    """Answer from the map alone: `Answer.entry`; errors as in `ask`."""
    return ask(str(query), territory=False)


def who(
    query: str | int, *, with_command_lines: bool = False, history: str | None = None, **options: bool
) -> Answer | NameAnswer:
    """Answer from the territory alone: `Answer.observations`; errors as in `ask`."""
    return ask(
        str(query), map_wanted=False, with_command_lines=with_command_lines, history=history, policy=None, **options
    )


def resolve(query: str) -> tuple[int | None, Transport | None, tuple[Assignment, ...]]:
    """Read a question as a port number or, without one, as the assignments of a service name.

    A name with a slash (`cl/1`) comes before port/transport. Digits are ASCII digits only.
    """
    number, slash, suffix = query.partition("/")
    if _is_number(number):
        if slash and suffix not in TRANSPORTS:
            raise _no_transport(suffix)
        if len(number) > 5 or int(number) >= PORTS:  # noqa: PLR2004  # 65535 has five digits; more need not be read
            message = f"{short(number)} is not a port number"
            raise UsageError(message, hint=f"port numbers go from 0 to {PORTS - 1}")
        return int(number), suffix if slash else None, ()  # type: ignore[return-value]  # checked above
    index = open_map()
    services = index.services(query)
    if services:
        return None, None, services
    if slash:
        if suffix in TRANSPORTS:
            services = tuple([found for found in index.services(number) if found.transport in {suffix, None}])
            if services:
                return None, suffix, services
        elif index.services(number):
            raise _no_transport(suffix)
    if not any(character.isalpha() for character in number):
        message = f"{short(query)!r} is neither a port number nor a service name"
        raise UsageError(message, hint=_suggest(number))
    message = f"no service is called {short(query)!r}"
    raise NotFound(message, hint=f"try: portulan search {short(number)}")


class Territory:
    """The sockets of this machine, one by one as they are read, without the map.

    Iterate to get the observations; `incomplete` is final once that has ended.
    """

    def __init__(self, survey: Survey | Reading | Probed) -> None:
        """Take a survey."""
        self._survey = survey

    def __iter__(self) -> Iterator[Observation]:
        """Look."""
        return iter(self._survey)

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What was refused."""
        return self._survey.incomplete


class Machine(Territory):
    """The sockets of this machine, judged one by one as they are read.

    Iterate to get the verdicts; `incomplete` is final once that has ended. `ordered` tells that the sockets come by
    port, as those of a survey do: then a verdict knows who else holds the port.
    """

    def __init__(
        self,
        survey: Survey | Reading | Probed,
        index: Index,
        *,
        with_command_lines: bool,
        ordered: bool = False,
        policy: Rulebook | None = None,
        claims: Claimed | None = None,
    ) -> None:
        """Join a survey with the map, and with the claims on this machine's ports."""
        from portulan.judging import Judging, Veil  # noqa: PLC0415  # rooms are imported when a question needs them

        super().__init__(survey)
        self.judge = Judging(index, Veil(with_command_lines=with_command_lines), claims)
        self._claims = claims
        self._ordered = ordered
        self._policy = policy
        self.snapshot = index.snapshot

    def __iter__(self) -> Iterator[Verdict]:  # type: ignore[override]  # judged, an observation is a verdict
        """Judge each socket."""
        verdicts = starmap(self.judge, self.in_company()) if self._ordered else map(self.judge, self._survey)
        return verdicts if self._policy is None else map(self._policy.judge, verdicts)

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What was refused."""
        return self._survey.incomplete if self._claims is None else (*self._survey.incomplete, *self._claims.incomplete)

    def observations(self) -> Iterator[Observation]:
        """See each socket as it is, command lines and all: for those who choose what to `judge`."""
        return iter(self._survey)

    def in_company(self) -> Iterator[tuple[Observation, frozenset[str]]]:
        """See each socket with the programs of all that hold its port, which `judge` takes too, where that is known."""
        from portulan.judge.sharing import NOBODY, in_company  # noqa: PLC0415  # as above

        return in_company(self._survey) if self._ordered else ((seen, NOBODY) for seen in self._survey)

    def glances(self) -> Iterator[Glance]:
        """Judge each socket in short, as a table has it: without the evidence, advice and notes that it does not show.

        To judge 2,500 sockets of 300 services so takes 20 ms instead of 34.
        """
        return map(self.judge.glance, self._survey) if self._policy is None else map(self.judge.glance_at, self)


def machine(
    *,
    connections: bool = False,
    accepted: bool = False,
    all_owners: bool = False,
    everywhere: bool = True,
    with_command_lines: bool = False,
    scripts: bool = False,
    probe: bool = False,
    policy: Rulebook | None = None,
) -> Machine:
    """Judge what holds ports on this machine, and with `connections` what dials elsewhere.

    All network namespaces are looked into, or with `everywhere` false only that of this process. `scripts` are those
    that interpreters were told to run; `probe` asks the listeners what they speak; `policy` has the last
    word on the verdicts.
    """
    from portulan.observe import survey  # noqa: PLC0415  # rooms are imported when a question needs them

    seen = survey(
        connections=connections,
        accepted=accepted,
        all_owners=all_owners,
        everywhere=everywhere,
        provenance=True,
        scripts=scripts,
    ).with_rules(_rules())
    asked: Survey | Probed = seen
    if probe:
        from portulan.probed import Probed  # noqa: PLC0415  # as above

        asked = Probed(seen, open_map())
    return Machine(
        asked, open_map(), with_command_lines=with_command_lines, ordered=True, policy=policy, claims=_claims()
    )


def imported(reading: Reading) -> Machine:
    """Judge what somebody else has seen or declared, observation by observation as it is read."""
    return Machine(reading, open_map(), with_command_lines=False)


def territory(*, with_command_lines: bool = False, **options: bool) -> Territory:
    """Look at what holds ports in this network namespace, without the map; options go to `observe.survey`."""
    from portulan.observe import survey  # noqa: PLC0415  # rooms are imported when a question needs them

    return Territory(survey(command_lines=with_command_lines, **options))


def _rules() -> Rules | None:
    from portulan.observe import rules  # noqa: PLC0415  # rooms are imported when a question needs them

    return rules()


def _claims() -> Claimed | None:
    """Return the claims on this machine's ports; None where there is no ledger, which costs a look at each place."""
    from portulan.coordinate.places import places_to_look_at  # noqa: PLC0415  # rooms are imported when a question needs them

    if not places_to_look_at():
        return None
    from portulan.claimed import read_claimed  # noqa: PLC0415  # few have a ledger

    return read_claimed()


def _answer(  # noqa: PLR0917  # private, and always the same nine in this order
    query: str,
    port: int,
    transport: Transport | None,
    map_wanted: bool,  # noqa: FBT001
    territory: bool,  # noqa: FBT001
    with_command_lines: bool,  # noqa: FBT001
    rules: Rules | None,
    recording: tuple[str | None, int | None],
    options: dict[str, bool],
    *,
    probe: bool,
    policy: Rulebook | None,
    claims: Claimed | None,
) -> Answer:
    """Ask the rooms about one number."""
    entry: Entry | None = None
    observations: tuple[Observation, ...] | None = None
    verdicts: tuple[Verdict, ...] | None = None
    incomplete: tuple[Incomplete, ...] = ()
    episodes: tuple[Episode, ...] | None = None
    recorded = 0
    if map_wanted:
        entry = open_map().entry(port)
        if transport is not None:
            entry = replace(entry, known_uses=tuple([use for use in entry.known_uses if use.transport == transport]))
    if territory:
        from portulan.observe import survey  # noqa: PLC0415  # rooms are imported when a question needs them

        try:
            # A verdict weighs where a program comes from; the territory alone is the quick question.
            wanted = {"command_lines": with_command_lines or map_wanted, "verify": map_wanted, **options}
            seen = survey(port, **wanted).with_rules(rules)
            found = [observation for observation in seen if transport in {None, observation.transport}]
            incomplete = seen.incomplete
        except NotSupported as error:
            if not map_wanted:
                raise
            found = []  # the map still answers
            incomplete = (Incomplete("the sockets of this machine", error.message, error.hint or ""),)
        if probe:
            from portulan.probed import probe_listeners  # noqa: PLC0415  # as elsewhere here

            found = probe_listeners(found, open_map())
        if map_wanted:
            verdicts = tuple(_judge(found, policy, claims, with_command_lines=with_command_lines))
            found = [verdict.subject for verdict in verdicts]
        observations = tuple(found)
        if transport == "dccp" and sys.platform == "linux":  # others have none
            why = "Portulan does not read them"
            incomplete += (
                Incomplete("DCCP sockets", why, "Linux has none since 6.16; on an older one: ss --dccp -ap"),
            )
        episodes, recorded, unread = _recorded(*recording, port, transport)
        incomplete += unread
    claimed: tuple[Claim, ...] | None = None
    if verdicts is not None:
        claimed = () if claims is None else claims.on(port)
        incomplete += () if claims is None else claims.incomplete
    return Answer(
        query, port, transport, tier_of(port), entry, observations, verdicts, incomplete, episodes, recorded, claimed
    )


def _judge(
    found: Sequence[Observation], policy: Rulebook | None, claims: Claimed | None, *, with_command_lines: bool
) -> Iterator[Verdict]:
    """Judge the sockets of a number, each with the programs of all that hold it."""
    from portulan.judging import Judging, Veil  # noqa: PLC0415  # rooms are imported when a question needs them

    judge = Judging(open_map(), Veil(with_command_lines=with_command_lines), claims)
    verdicts: Iterator[Verdict] = map(judge, found)
    if len(found) > 1:
        from portulan.judge.sharing import in_company  # noqa: PLC0415  # as above

        verdicts = starmap(judge, in_company(found))
    return verdicts if policy is None else map(policy.judge, verdicts)


def _recorded(
    given: str | None, most: int | None, port: int, transport: Transport | None
) -> tuple[tuple[Episode, ...] | None, int, tuple[Incomplete, ...]]:
    """Return what a recording says of a port, and of how many episodes in all, and what could not be read.

    The recording is the one that was named, or the one that there is, if it can be read.
    """
    from portulan.observe import find_recording  # noqa: PLC0415  # as elsewhere here

    place = given or find_recording()
    if place is None:
        return None, 0, ()
    from portulan.observe.recorded import count_episodes, read_episodes  # noqa: PLC0415  # SQLite costs more than the answer

    try:
        episodes = read_episodes(place, port, transport, most=most)
        more = len(episodes) == most
        return episodes, count_episodes(place, port, transport) if more else len(episodes), ()
    except RecordingError as error:
        if given:
            raise
        return None, 0, (Incomplete("who used this port before", error.message, error.hint or ""),)


def open_map() -> Index:
    """Return the map, opened once. Raises RegistryError where it cannot be read."""
    from portulan.registry.index import open_index  # noqa: PLC0415  # rooms are imported when a question needs them

    global _opened  # noqa: PLW0603  # the map is read-only and mapped once
    if _opened is None:
        _opened = open_index()
    return _opened


_opened: Index | None = None


def _is_number(text: str) -> bool:
    return bool(text) and all("0" <= character <= "9" for character in text)


def _suggest(text: str) -> str:
    """Say what to write instead of what is no port number."""
    digits = text.replace("_", "").replace(" ", "")
    if _is_number(digits) and len(digits) <= 5:  # noqa: PLR2004  # as many as a port number has
        return f"write {digits}"
    if text.startswith("-"):
        return f"port numbers go from 0 to {PORTS - 1}"
    return "write each number as a word of its own: portulan 22 80/tcp"


def _no_transport(suffix: str) -> UsageError:
    lower = suffix.lower()
    hint = f"write it as {lower}" if lower in TRANSPORTS else f"the transports are {', '.join(TRANSPORTS)}"
    return UsageError(f"{short(suffix)!r} is not a transport", hint=hint)


def short(text: str) -> str:
    """Return the beginning of what somebody typed, as much as fits into an error line."""
    return text if len(text) <= 40 else text[:37] + "..."  # noqa: PLR2004  # what fits into an error line
