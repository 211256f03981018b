"""Weigh what the map says against what is seen, and say why.

The order of strength: what answers (a probe) and what runs (an executable that can be believed) speak; what the number
is called does not. A socket with several owners gets the worst verdict among them, since one foreign owner is enough.
"""

from __future__ import annotations

from portulan.judge.evidence import (
    ADVICE,
    DOES,
    advise,
    contrary,
    describe_state,
    is_documented,
    is_narrow,
    is_only_dialled,
    is_range,
    notes_on,
    say_map,
    say_missing_owner,
    say_not_the_cited,
    say_probe,
    say_product,
    say_provenance,
    say_redirect,
    say_relay,
    say_service_manager,
    say_silence,
    say_uses,
    uses_like,
    width_of,
)
from portulan.judge.program import SYSTEMD, activated_program, bare_name, programs, unit_program
from portulan.judge.rules import RULES, SEVERITY
from portulan.model import Value, Verdict, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from portulan.judge.program import Namesakes, Program
    from portulan.model import (
        Attention,
        Entry,
        Evidence,
        Identification,
        Judgement,
        KnownUse,
        Note,
        Observation,
        TransportEntry,
    )

    Finding = tuple[str, tuple[Evidence, ...]]  # a rule's code and the evidence it rests on

ENDING_STATES = frozenset({"time-wait", "fin-wait-1", "fin-wait-2", "close-wait", "last-ack", "closing", "closed"})
"""TCP states of a connection that at least one side has ended (RFC 9293, section 3.3.2)."""

FORMS_OF_HTTP = frozenset({"http-proxy", "ipp", "websocket"})
"""What is told apart from HTTP and is HTTP nevertheless: a use that is cited for HTTP is cited for it.

RFC 9110, section 9.3.6; RFC 8010, section 4; RFC 6455, section 1.7.
"""

PROXIES = frozenset({"caddy", "envoy", "nginx", "traefik"})
"""Servers that can be told to pass on any protocol, so that being one is no evidence of what answers."""

SPEAK_FIRST = {
    "ssh": "RFC 4253, section 4.2",
    "ftp": "RFC 959, section 5.4",
    "pop3": "RFC 1939, section 4",
    "imap": "RFC 9051, section 7.1.5",
    "nntp": "RFC 3977, section 5.1",
    "sieve": "RFC 5804, section 1.7",
    "rfb": "RFC 6143, section 7.1.1",
}
"""Services whose server says the first word, by IANA's name, and where that is written. Mail servers do so as well, but
many let a client wait before, to see whether it does."""
NO_SUCH_WORD = frozenset({"silent", "echoes", "chatters"})
"""What is seen instead where a service is there that takes questions. To close a connection may be a refusal."""

SQUATS = frozenset({"PT103", "PT104", "PT107", "PT108", "PT109", "PT114", "PT118"})
BY_PROGRAM = frozenset({"PT103", "PT104", "PT107"})
"""The rules that may name a squatted service, and those of them that rest on the program and not on an answer."""

NOTED = frozenset((22, 25, 53))
"""Numbers that notes are about: SSH away from the first, and `local` has something on the others alone."""

AGREES = frozenset({"PT101", "PT102"})
AT_HOME = frozenset({"PT101", "PT103"})
EXPLAINED = frozenset({"PT101", "PT103", "PT107"})
DISGUISED = frozenset({"PT106", "PT115"})


def number_of(observation: Observation) -> int:
    """Return the port number that a socket is judged by: the one it holds, or the one it dials."""
    if observation.direction == "connect" and observation.peer is not None:
        return observation.peer.port
    return observation.local.port


def judge(
    entry: Entry,
    catalogue: Mapping[str, Namesakes],
    observation: Observation,
    identification: Identification | None = None,
    *,
    shown: Observation | None = None,
    company: frozenset[str] = frozenset(),
) -> Verdict:
    """Judge one socket.

    `entry` is what the map says of the number the socket is judged by (`number_of`); `catalogue` what is known of the
    name of each executable among the socket's processes, by its path, and of its unit, by the unit's name;
    `identification` what answered there, if anybody asked; `shown` the observation to put into the verdict where it is
    not the one that is weighed, because command lines are not to be shown; `company` the programs that hold sockets on
    its port at overlapping addresses (`sharing`), where somebody looked.
    """
    weighed = assess(entry, catalogue, observation, identification, company)
    return pronounce(weighed, entry, shown or observation)


class Ruling(Value):
    """The short of a verdict, the same for all sockets that are alike: the rule, and the evidence that decided."""

    rule: str
    judgement: Judgement
    attention: Attention
    because: tuple[Evidence, ...]


def rule_on(
    entry: Entry,
    catalogue: Mapping[str, Namesakes],
    observation: Observation,
    identification: Identification | None = None,
) -> Ruling:
    """Find the rule that a socket falls under, and no more; arguments as in `judge`."""
    rule, because = _find(entry, entry.on(observation.transport), observation, catalogue, identification)
    _, judgement, attention = RULES[rule]
    return Ruling.of((rule, judgement, attention, decisive(because)))


def decisive(because: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Return the evidence that decided."""
    return tuple([item for item in because if item.weight in {"decides", "contradicts"}])


class Weighed(Value):
    """What is the same for all sockets that are alike: the rule, and all that is said but its number and address."""

    rule: str
    state: str
    because: tuple[Evidence, ...]
    squats_on: str | None
    advice: str | None
    notes: tuple[Note, ...]


def assess(
    entry: Entry,
    catalogue: Mapping[str, Namesakes],
    observation: Observation,
    identification: Identification | None = None,
    company: frozenset[str] = frozenset(),
) -> Weighed:
    """Find the rule that a socket falls under, and why; arguments as in `judge`."""
    on = entry.on(observation.transport)
    if identification is not observation.identification:
        observation = replace(observation, identification=identification)
    rule, because = _find(entry, on, observation, catalogue, identification)
    because = (*say_provenance(observation), *because)
    found = _of_service(observation, catalogue)
    squats_on = None
    if rule in SQUATS:
        squats_on = _squats_on(rule, on, found, holds=observation.direction != "connect")
    advice = advise(rule, observation) if rule in ADVICE and DOES not in ADVICE[rule] else None
    if not found and rule in AT_HOME:
        by_unit = unit_program(observation, catalogue) or activated_program(observation, catalogue)
        found = [] if by_unit is None else [by_unit]
    notes = notes_on(entry, on, observation, RULES[rule][2], found, company)
    return Weighed(rule, describe_state(on), because, squats_on, advice, notes)


def likeness(entry: Entry, observation: Observation, company: frozenset[str] = frozenset()) -> tuple[object, ...]:
    """Return all that is weighed, with the identification that a socket has: those alike in it are weighed alike.

    That is what decides, and what the notes depend on beside it; identities as in `likeness_of_rule`.
    """
    assignments = entry.on(observation.transport).assignments
    noted = entry.port in NOTED or any(row.unauthorized_use_reported for row in assignments)
    return (
        *likeness_of_rule(entry, observation),
        entry.port if noted else None,  # the notes of a range tell its numbers apart
        width_of(observation),
        company,
    )


def likeness_of_rule(entry: Entry, observation: Observation) -> tuple[object, ...]:
    """Return what decides: sockets that are alike in it fall under the same rule, for the same reasons.

    What the map says and who holds the socket count by their identity: to compare them would cost more than to weigh
    them. So whoever compares keeps them, or another value may come to have the same.
    """
    on = entry.on(observation.transport)
    return (
        id(on) if on.assignments or on.grade else on.state,  # rows that assign nothing decide nothing
        id(entry.known_uses),
        observation.transport,
        observation.direction,
        id(observation.processes),
        observation.processes_missing,
        observation.perspective,
        observation.unit,
        observation.cgroup,
        observation.package,
        observation.socket_state in ENDING_STATES,
        not observation.inode,
        observation.system,
        observation.socket_user,
        observation.activates,
        observation.redirect,
        observation.declaration,
        observation.identification,
    )


def pronounce(weighed: Weighed, entry: Entry, observation: Observation) -> Verdict:
    """Make the verdict on one socket of what was weighed for it or one alike."""
    rule, state, because, squats_on, advice, notes = weighed
    _, judgement, attention = RULES[rule]
    # A rule on several ports is about none of them.
    says = () if is_range(observation) else (say_map(entry, observation.transport, state, agrees=rule in AGREES),)
    if advice is None and rule in ADVICE:
        advice = advise(rule, observation)
    return Verdict.of((observation, judgement, squats_on, attention, rule, (*says, *because), advice, notes, ()))


def _find(
    entry: Entry,
    on: TransportEntry,
    observation: Observation,
    catalogue: Mapping[str, Namesakes],
    identification: Identification | None,
) -> Finding:
    """Judge by who holds the socket, and by what answers where somebody asked."""
    rule, because = _by_program(entry, on, observation, catalogue)
    if identification is None:
        return rule, because
    if identification.protocol is not None:
        return _by_probe(entry, on, observation, identification, (rule, because))
    if identification.behaviour is None:
        return rule, because
    return _by_silence(on, observation, identification, (rule, because))


def _by_program(
    entry: Entry, on: TransportEntry, observation: Observation, catalogue: Mapping[str, Namesakes]
) -> Finding:
    """Judge by who holds the socket."""
    if observation.redirect is not None and observation.socket_state == "redirected":
        return "PT117", (say_redirect(observation.redirect, observation.transport),)
    found = _of_service(observation, catalogue)
    if found:
        findings = [_one_program(entry, on, observation, program) for program in found]
        if any(process.executable is None for process in observation.processes):
            findings.append(("PT111", (say_missing_owner(observation),)))
        return findings[0] if len(findings) == 1 else max(findings, key=lambda finding: SEVERITY[RULES[finding[0]][2]])
    because = (say_missing_owner(observation),)
    by_unit = unit_program(observation, catalogue) or activated_program(observation, catalogue)
    if by_unit is not None:
        finding = _one_program(entry, on, observation, by_unit)
        if finding[0] in AT_HOME:  # elsewhere, a process of the unit may be anything that it started
            return finding
    if observation.processes_missing != "no process holds it":
        return "PT111", because
    return ("PT113" if observation.socket_state in ENDING_STATES else "PT112"), because


def _of_service(observation: Observation, catalogue: Mapping[str, Namesakes]) -> list[Program]:
    """Return the programs to weigh: the service manager holds sockets for others, who stand for it where known."""
    found = programs(observation, catalogue)
    others = [program for program in found if program.path not in SYSTEMD]
    if others or not found:
        return others
    activated = activated_program(observation, catalogue)
    return found if activated is None else [activated]


def _one_program(entry: Entry, on: TransportEntry, observation: Observation, program: Program) -> Finding:
    """Judge one program that holds the socket."""
    if program.in_memory:
        return "PT115", (program.says,)
    if program.disbelief is not None:
        return "PT106", (program.says,)
    if program.path in SYSTEMD and not program.unseen:
        return "PT110", (say_service_manager(program, observation),)

    uses = [use for use in uses_like(entry, observation) if use.relation != "malicious"]
    return _at_home(on, uses, program) or _away(entry, observation, uses, program)


def _at_home(on: TransportEntry, uses: list[KnownUse], program: Program) -> Finding | None:
    """Judge a program that the map connects with the number; None for any other."""
    for row in program.rows if program.serves else ():
        cited = [use for use in uses if use.product == row.product]
        registered = [use for use in cited if use.relation == "registered"]
        if registered or any(a.service_name in row.services for a in on.assignments if a.service_name):
            return "PT101", (*say_uses(registered[:1], "supports"), say_product(program, row))
        if cited:
            return "PT103", (*say_uses(cited[:1], "decides"), say_product(program, row))
    return None


def _away(entry: Entry, observation: Observation, uses: list[KnownUse], program: Program) -> Finding:
    """Judge a program that the map does not connect with the number."""
    own = {row.product for row in program.rows}
    against = [use for use in contrary(entry, observation) if use.product not in own]
    if observation.direction != "connect" and not is_only_dialled(against):
        # A known server that was moved is an administrator's choice, and a relay may pass on what the number is for;
        # but nothing is at home on a number that is only known as one that is dialled elsewhere.
        if program.serves and any(row.serves for row in program.rows):
            return "PT107", (say_product(program, program.rows[0]),)
        if program.relays:
            return "PT116", (say_relay(program, observation.redirect),)
    # A program known for one product is not another that bundles it; a shared one might be any of them.
    if against and (program.rows or not any(use.product in program.products for use in against)):
        return "PT104", (*say_uses(against[:3], "context"), say_not_the_cited(program, against))
    # What a tool for many things does here, its name does not tell, even where it is the tool it is called.
    named = any(row.distinct == "own" for row in program.rows)
    rule = "PT110" if (program.rows or program.candidates) and not named else "PT105"
    context = [use for use in uses if is_narrow(use)][:3]
    return rule, (*say_uses(context, "context"), program.says)


def _by_probe(  # noqa: PLR0911  # a list of rules, the strongest first: each returns
    entry: Entry, on: TransportEntry, observation: Observation, identification: Identification, by_program: Finding
) -> Finding:
    """Judge by what answers, given what the program alone would make of it."""
    rule, because = by_program
    if rule in DISGUISED:  # whatever answers, the program hides what it is
        return rule, (*because, say_probe(identification, "context"))

    if RULES[rule][1] == "unknown":  # that nothing was known of it decides nothing any more
        because = tuple([replace(item, weight="context") for item in because])
    # A name that is not IANA's may be one of IANA's for something else, as `imap` is for what is not inside TLS.
    documented = is_documented(on)
    registered = frozenset(identification.service_names or (identification.protocol,))
    if any(registered.intersection((assignment.service_name, *assignment.aliases)) for assignment in on.assignments):
        return "PT102", (*because, say_probe(identification, "decides"))
    names = _spoken(identification)
    cited = [use for use in uses_like(entry, observation) if use.protocol in names and use.protocol is not None]
    cited = [use for use in cited if use.relation != "malicious"]
    if documented and identification.service_names:  # of the assigned service its document says it more exactly
        cited = [use for use in cited if use.relation != "registered"]
    if cited:
        return "PT114", (*say_uses(cited[:1], "supports"), *because, say_probe(identification, "decides"))
    if rule == "PT107":
        return rule, (*because, say_probe(identification, "supports"))
    dialled = contrary(entry, observation)
    if RULES[rule][1] == "unknown" and is_only_dialled(dialled) and any(use.protocol in names for use in dialled):
        return "PT118", (*say_uses(dialled[:1], "supports"), *because, say_probe(identification, "decides"))
    unspoken = all(use.protocol is None for use in uses_like(entry, observation))
    if (rule == "PT104" and not documented) or (rule == "PT103" and unspoken):
        return rule, (*because, say_probe(identification, "context"))
    if rule in EXPLAINED or documented:
        return "PT109", (*because, say_probe(identification, "contradicts"))
    return "PT108", (*because, say_probe(identification, "decides"))


def _spoken(identification: Identification) -> set[str | None]:
    """Return the names under which what answers may be cited."""
    names = {identification.protocol, *identification.service_names}
    if identification.protocol in FORMS_OF_HTTP:
        names |= {"http", "https"} if "tls" in identification.layers else {"http"}
    return names


def _by_silence(
    on: TransportEntry, observation: Observation, identification: Identification, by_program: Finding
) -> Finding:
    """Judge by an answer without a name. It is no evidence of what is there, but it may be of what is not."""
    rule, because = by_program
    names = [row.service_name for row in on.assignments if row.service_name]
    expected = [(name, SPEAK_FIRST[name]) for name in names if name in SPEAK_FIRST]
    asked = identification.cost is not None and observation.transport == "tcp"
    if not (expected and asked and identification.behaviour in NO_SUCH_WORD) or rule in DISGUISED:
        return rule, (*because, say_probe(identification, "context"))
    silence = say_silence(identification, *expected[0])
    if rule in AT_HOME:
        return "PT120", (*because, silence)
    return "PT119", (*[replace(item, weight="context") for item in because], silence)


def _squats_on(rule: str, on: TransportEntry, found: list[Program], *, holds: bool) -> str | None:
    """Name the assigned service whose number this is, where the evidence says that something else is there.

    Of several the one that cites the best document. A relay is no evidence: what it passes on may be the service. Nor
    is it that a product is not cited for the number: it must be known what else it speaks.
    """
    if rule in BY_PROGRAM and holds and found and all(program.relays for program in found):
        return None
    if rule == "PT107":
        rows = [row for program in found for row in program.rows]
        spoken = {name for row in rows for name in row.speaks}
        assigned = {name for row in on.assignments for name in (row.service_name, *row.aliases)}
        if not spoken or spoken.intersection(assigned) or any(bare_name(row.name) in PROXIES for row in rows):
            return None
    named = [assignment for assignment in on.assignments if assignment.service_name]
    best = max(named, key=lambda row: ("RFC" in (row.reference or ""), bool(row.reference)), default=None)
    return None if best is None else best.service_name
