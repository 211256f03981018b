"""What would change a verdict: one fact of a socket supposed to be another, and judged again.

No rule is known here: a supposition is a socket as it might have been seen, and what the judge makes of that is what is
told. So it shows what a verdict rests on, and what to check where somebody doubts it. Supposed are facts that somebody
can look at; what a program would have to be called, or where to lie, to look well is not told.
"""

from __future__ import annotations

from portulan.judge.claiming import judge_by_claims, numbers_of
from portulan.judge.possible import belonging
from portulan.judge.program import NOBODY
from portulan.judge.weigh import judge
from portulan.model import Entry, Identification, Process, TransportEntry, Value, replace, tier_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Literal

    from portulan.judge.possible import Possible
    from portulan.judge.program import Namesakes
    from portulan.model import Attention, Executable, Judgement, Observation, Standing, Verdict

    Fact = Literal[
        "writable",
        "replaced",
        "differs",
        "unseen",
        "package",
        "unit",
        "program",
        "owner",
        "protocol",
        "address",
        "number",
        "claim",
    ]

MOST = 6
"""So many changes are told, and first those that change the attention."""
MOST_HOLDERS, MOST_NAMED = 8, 3
"""So many products' programs are tried where the one that is there is not known or not expected, and so many named."""

FOLDERS = {"windows": "C:\\Program Files\\", "macos": "/usr/sbin/", "linux": "/usr/sbin/"}
"""Where a program is supposed to lie of which no more is known than its name: its name is believed there."""
UNKNOWN_NAME = "(not in the catalogue)"
"""What no program and no protocol is called."""

UNREAD = frozenset({"not permitted", "other namespace", "closed before it could be read", "not recorded"})
"""Why an owner is not known that somebody may be able to read."""
AT_HOME = frozenset({"registered", "known-unofficial"})
"""The judgements on a program that the map connects with a number."""
NOT_ASKED = frozenset({"redirected", "bound"})
"""Socket states of what holds a number and takes no questions."""


class Change(Value):
    """What would be found if one fact were another: of what kind it is, and which, worded to stand behind an `if`."""

    fact: Fact
    statement: str
    rule: str
    judgement: Judgement
    attention: Attention


class Holder(Value):
    """A product of which a program would be expected on a number, or None for any other, and what would be found.

    `program` is what that is called.
    """

    product: str | None
    program: str | None
    rule: str
    judgement: Judgement
    attention: Attention


class Supposition(Value):
    """A socket as it might have been seen, what the map says of its number, and what is known of its programs.

    `product` ends the statement, where others may stand there as well.
    """

    fact: Fact
    statement: str
    seen: Observation
    entry: Entry
    known: Mapping[str, Namesakes]
    product: str | None = None


def what_would_change(
    entry: Entry,
    catalogue: Mapping[str, Namesakes],
    observation: Observation,
    identification: Identification | None = None,
    *,
    possible: Possible,
    homes: Sequence[Entry] = (),
    policy: Callable[[Verdict], Verdict] = lambda verdict: verdict,
) -> tuple[Change, ...]:
    """Tell which facts would have led to another judgement or attention, the most useful first.

    The first four arguments are those of `judge`. `possible` is what might be there instead; `homes` is what the map
    says of numbers where a program of the socket is at home; `policy` makes of a verdict what somebody's policy says.
    """
    is_so = Supposition("number", "", replace(observation, identification=identification), entry, catalogue)
    now = _judged(is_so, policy)
    found: dict[tuple[str, str], tuple[Verdict, list[Supposition]]] = {}
    for supposed in _suppositions(is_so, possible, homes, is_fine=now.attention == "ok"):
        then = _judged(supposed, policy)
        if (then.attention, then.judgement) != (now.attention, now.judgement):
            found.setdefault((supposed.fact, then.rule), (then, []))[1].append(supposed)
    ordered = sorted(found.values(), key=lambda one: one[0].attention == now.attention)  # otherwise as they came
    return tuple([_say_change(supposed, then) for then, supposed in ordered[:MOST]])


def _say_change(supposed: Sequence[Supposition], then: Verdict) -> Change:
    """Tell what suppositions of one kind lead to: the first of them, and of products each."""
    first = supposed[0]
    products = " or ".join([one.product for one in supposed[:MOST_NAMED] if one.product])
    statement = f"{first.statement} {products}" if products else first.statement
    return Change(first.fact, statement, then.rule, then.judgement, then.attention)


def who_would_be_expected(entry: Entry, observation: Observation, possible: Possible) -> tuple[Holder, ...]:
    """Tell which programs the map would expect behind a socket that is not there, and what would be found of each."""
    is_so = Supposition("owner", "", observation, entry, {})
    held = [*_at_home(is_so, possible), _held_by(None, is_so, possible)]
    verdicts = [_judged(supposed) for supposed in held]
    return tuple(
        [
            Holder(one.product, one.product and one.seen.processes[0].name, then.rule, then.judgement, then.attention)
            for one, then in zip(held, verdicts, strict=True)
        ]
    )


def what_claims_would_change(
    verdict: Verdict, claims: Sequence[Standing], policy: Callable[[Verdict], Verdict]
) -> tuple[Change, ...]:
    """Tell what would be found if a socket were, or were not, of those who have claimed its port.

    `verdict` is the one without claims; `policy` makes of a verdict what somebody's policy says.
    """
    now = policy(judge_by_claims(verdict, claims))
    changes = []
    for statement, supposed in _claims(claims):
        then = policy(judge_by_claims(verdict, supposed))
        if (then.attention, then.judgement) != (now.attention, now.judgement):
            changes.append(Change("claim", statement, then.rule, then.judgement, then.attention))
    return tuple(changes)


def _claims(claims: Sequence[Standing]) -> Iterator[tuple[str, Sequence[Standing]]]:
    owners = " and ".join(dict.fromkeys([standing.claim.owner for standing in claims]))
    yield f"it were of {owners}", [replace(standing, own=True) for standing in claims]
    yield f"it were not of {owners}", [replace(standing, own=False) for standing in claims]
    yield f"{owners} released {numbers_of(claims[0].claim)}", ()


def _judged(supposed: Supposition, policy: Callable[[Verdict], Verdict] = lambda verdict: verdict) -> Verdict:
    return policy(judge(supposed.entry, supposed.known, supposed.seen, supposed.seen.identification))


# -------------------------------------------------------------------------------------------------------- suppositions


def _suppositions(
    is_so: Supposition, possible: Possible, homes: Sequence[Entry], *, is_fine: bool
) -> Iterator[Supposition]:
    """Yield what might be otherwise, what is easily checked first. What is fine is asked for what it rests on."""
    doubts = list(_of_files(is_so))
    yield from doubts
    if is_fine:
        yield from _of_sound_files(is_so)
    yield from _of_second_facts(is_so)
    if not doubts:
        yield from _of_programs(is_so, possible, is_fine=is_fine)
    yield from _of_answers(is_so, possible)
    yield from _of_places(is_so, homes, is_fine=is_fine)


def _of_files(is_so: Supposition) -> Iterator[Supposition]:
    """Suppose that nothing were wrong with a file."""
    for process in _distinct(is_so.seen):
        path = process.executable
        if process.executable_writable is not None:
            statement = f"nobody but root could write {process.executable_writable}"
            yield _with(is_so, process, "writable", statement, executable_writable=None)
        if process.executable_status == "deleted" or process.replaced_by is not None:
            statement = f"{path} were still the file that was started"
            sound = {"executable_status": "present", "replaced_by": None, "restart_needed": False}
            yield _with(is_so, process, "replaced", statement, **sound)
        if process.executable_intact is False:
            statement = f"{path} were what the package {process.package} shipped"
            yield _with(is_so, process, "differs", statement, executable_intact=True)
        if process.executable_status == "unseen":
            yield _with(is_so, process, "unseen", f"{path} could be seen from here", executable_status="present")


def _of_sound_files(is_so: Supposition) -> Iterator[Supposition]:
    """Suppose that something were wrong with a file on which a verdict rests."""
    for process in _distinct(is_so.seen):
        if process.executable_status == "present" and process.executable_writable is None:
            statement = f"others than root could write {process.executable}"
            yield _with(is_so, process, "writable", statement, executable_writable=process.executable)
        if process.executable_intact:
            statement = f"{process.executable} were not what the package {process.package} shipped"
            yield _with(is_so, process, "differs", statement, executable_intact=False)


def _of_second_facts(is_so: Supposition) -> Iterator[Supposition]:
    """Suppose that a program which names nothing by itself were of a product that belongs on the number."""
    seen = is_so.seen
    products, assigned = belonging(is_so.entry, seen)
    for process in _distinct(seen):
        for row in is_so.known.get(process.executable or "", NOBODY).rows:
            if row.distinct != "shared" or (
                row.product not in products and not any(name in row.services for name in assigned)
            ):
                continue
            if row.package is not None:
                statement = f"{process.executable} were of the package {row.package}, of {row.product}"
                yield _with(is_so, process, "package", statement, package=row.package)
            if row.unit is not None:
                statement = f"its unit were {row.unit}, of {row.product}"
                of_unit = replace(seen, unit=row.unit, cgroup=f"/system.slice/{row.unit}")
                yield replace(is_so, fact="unit", statement=statement, seen=of_unit)


def _of_programs(is_so: Supposition, possible: Possible, *, is_fine: bool) -> Iterator[Supposition]:
    """Suppose another program: the one that the map expects, and of what is fine or not known one that nobody knows."""
    seen = is_so.seen
    unread = seen.processes_missing in UNREAD or any(process.executable is None for process in seen.processes)
    if not unread and (not seen.processes or any(p.executable_status == "in-memory" for p in seen.processes)):
        return
    if unread or not is_fine:
        yield from _at_home(is_so, possible, unread=unread)
    if unread or is_fine:
        yield _held_by(None, is_so, possible, unread=unread)


def _of_answers(is_so: Supposition, possible: Possible) -> Iterator[Supposition]:
    """Suppose an answer: of the assigned service, of a cited use, of neither."""
    seen = is_so.seen
    if seen.direction != "listen" or seen.socket_state in NOT_ASKED or seen.transport not in {"tcp", "udp"}:
        return
    for protocol, names in [*possible.answers(is_so.entry, seen).items(), (UNKNOWN_NAME, ())]:
        spoken = "something else" if protocol == UNKNOWN_NAME else protocol
        answer = Identification(
            port=seen.local.port,
            transport=seen.transport,
            protocol=protocol,
            layers=(seen.transport, protocol),
            tls=None,
            product=None,
            version=None,
            confidence=1.0,
            reasons=(),
            behaviour=None,
            cost=None,
            transcript=None,
            service_names=names,
        )
        answered = replace(seen, identification=answer)
        yield replace(is_so, fact="protocol", statement=f"what answers there spoke {spoken}", seen=answered)


def _of_places(is_so: Supposition, homes: Sequence[Entry], *, is_fine: bool) -> Iterator[Supposition]:
    """Suppose another address or another number."""
    seen = is_so.seen
    does = "dialled" if seen.direction == "connect" else "held"
    if seen.direction == "listen" and seen.reachable_from != "namespace":
        address = "::1" if ":" in seen.local.address else "127.0.0.1"
        local = replace(seen.local, address=address)
        there = replace(seen, local=local, reachable_from="host")
        yield replace(is_so, fact="address", statement=f"it listened on {address} alone", seen=there)
    for home in homes:
        names = [row.service_name for row in home.on(seen.transport).assignments if row.service_name]
        statement = f"it {does} {home.port}/{seen.transport}, assigned to {', '.join(dict.fromkeys(names))}"
        yield replace(_on_number(is_so, home), statement=statement)
    if not is_fine:
        statement = f"it {does} a number that nothing is assigned or cited for"
        yield replace(_on_number(is_so, _blank(is_so.entry)), statement=statement)


def _on_number(is_so: Supposition, entry: Entry) -> Supposition:
    seen = is_so.seen
    end = "peer" if seen.direction == "connect" and seen.peer is not None else "local"
    moved = replace(seen, **{end: replace(getattr(seen, end), port=entry.port)})
    return replace(is_so, fact="number", seen=moved, entry=entry)


def _blank(entry: Entry) -> Entry:
    """Return what the map says of a number of which it says nothing."""
    nothing = tuple([TransportEntry(on.transport, "unassigned", None, (), ()) for on in entry.transports])
    return Entry(entry.port, tier_of(entry.port), entry.snapshot, nothing, ())


def _distinct(seen: Observation) -> list[Process]:
    """Return a process for each executable that is known."""
    return list({process.executable: process for process in seen.processes if process.executable}.values())


def _with(is_so: Supposition, of: Process, fact: Fact, statement: str, **facts: object) -> Supposition:
    """Suppose facts of all processes of one executable."""
    processes = tuple([replace(p, **facts) if p.executable == of.executable else p for p in is_so.seen.processes])
    return replace(is_so, fact=fact, statement=statement, seen=replace(is_so.seen, processes=processes))


def _at_home(is_so: Supposition, possible: Possible, *, unread: bool = False) -> list[Supposition]:
    """Suppose each program that the map connects with the number, were nothing known of what answers."""
    rows = possible.of_products(is_so.entry, is_so.seen)
    held = [_held_by(row, is_so, possible, unread=unread) for row in rows]
    unasked = [replace(one, seen=replace(one.seen, identification=None)) for one in held]
    at_home = [one for one, silent in zip(held, unasked, strict=True) if _judged(silent).judgement in AT_HOME]
    return at_home[:MOST_HOLDERS]


def _held_by(row: Executable | None, is_so: Supposition, possible: Possible, *, unread: bool = False) -> Supposition:
    """Suppose that a program were behind the socket and as its package ships it, or for None one that nobody knows."""
    whose = "a program of" if row is not None else "a program that the catalogue does not know"
    statement = f"its owner could be read, and were {whose}" if unread else f"it were {whose}"
    name = UNKNOWN_NAME if row is None else row.name
    path = (row and row.path) or FOLDERS.get(is_so.seen.system or "linux", FOLDERS["linux"]) + name
    package, unit = (row.package, row.unit) if row is not None else (None, None)
    intact = True if package else None
    process = Process(2, name, path, None, None, None, "present", package=package, executable_intact=intact)
    seen = replace(
        is_so.seen,
        processes=(process,),
        processes_missing=None,
        package=package,
        unit=unit,
        cgroup=f"/system.slice/{unit}" if unit else None,
        activates=None,
    )
    known = {**is_so.known, path: NOBODY if row is None else possible.namesakes(path)}
    fact: Fact = "owner" if unread else "program"
    return replace(is_so, fact=fact, statement=statement, seen=seen, known=known, product=row and row.product)
