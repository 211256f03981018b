"""`portulan why`: a verdict as a chain, link by link, down to what would change it; or the page of a rule."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from portulan.checked import find_policy, read_rulebook
from portulan.cli import exit_code, say_incomplete, say_passed_over, worse
from portulan.cli.page import render_map, render_uses
from portulan.cli.rulepages import print_list, print_page
from portulan.cli.sockets import local_time
from portulan.cli.terminal import Style, clean, wrap
from portulan.errors import UsageError
from portulan.explained import explain
from portulan.judge.claiming import say_claim
from portulan.judge.learning import render_rule
from portulan.judge.phrases import say_rule
from portulan.judge.rules import SEVERITY

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from portulan.explained import Bearing, Chain, Expectation, Explanation
    from portulan.judge.matching import Rulebook
    from portulan.judge.policy import Rule
    from portulan.model import Evidence, Verdict

CODE = re.compile(r"[Pp][Tt]\d{3}")
MOST_RULES = 5
"""So many rules of a policy are told of one number, the nearest first."""
DOES = {"expect": "expects it", "allow": "allows it", "forbid": "forbids it"}
HOLDS = {"listen": "held", "connect": "dialled"}


def add_arguments(parser: ArgumentParser) -> None:
    """Say what the verb takes."""
    parser.add_argument("what", nargs="?", metavar="PORT|NAME|RULE", help="2528, 2528/tcp, ssh, PT104; none: all rules")
    parser.add_argument("--policy", metavar="FILE", help="none: $PORTULAN_POLICY, ./ports.toml, the user's, if there")
    parser.add_argument("--probe", action="store_true", help="ask the listeners there what they speak")
    parser.add_argument("--format", choices=("text", "json"), default="text", metavar="text|json")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")


def run(flags: Namespace) -> int:
    """Explain, and return the exit code: that of the page of the port."""
    if flags.what is None:
        return print_list(flags.format)
    if CODE.fullmatch(flags.what):
        return print_page(flags.what, flags.format)
    rulebook = _find_rulebook(flags.policy)
    told = explain(flags.what, rulebook=rulebook, probe=flags.probe)
    if flags.format == "json":
        from portulan.cli.formats import print_json  # noqa: PLC0415  # json costs a start-up

        print_json(_document(flags.what, told, rulebook), indent=2)
    else:
        style = Style(sys.stdout)
        rendered = [_render(one, rulebook, style) for one in told]
        sys.stdout.write("\n".join(rendered) if told else f"{clean(flags.what)} has no port\n")
    sys.stdout.flush()
    for refused in {item: None for one in told for item in one.answer.incomplete}:
        say_incomplete(refused)
    say_passed_over()
    code = 0
    for one in told:
        chained = [chain.verdict.attention for chain in one.chains]
        seen = 1 if "investigate" in chained else exit_code(one.answer, only_territory=False)
        code = worse(code, 0 if seen == 1 and "investigate" not in chained else seen)
    return code


def _find_rulebook(named: str | None) -> Rulebook | None:
    """Return the policy's rules; None where there is no policy, which is no error unless it was named."""
    try:
        place = find_policy(named)
    except UsageError:
        return None
    return read_rulebook(place)


# --------------------------------------------------------------------------------------------------------------- JSON


def _document(query: str, told: Sequence[Explanation], rulebook: Rulebook | None) -> dict[str, object]:
    """Return the document of some explanations: for each port its map, and a chain for each kind of socket."""
    from portulan.document import plain, port_document  # noqa: PLC0415  # as above

    results = []
    for one in told:
        document = port_document(one.answer)
        mine = {key: document[key] for key in ("port", "tier", "snapshot", "transports", "known_uses", "incomplete")}
        results.append({
            **mine,
            "chains": [
                {**plain(chain), "expecting_toml": _toml(chain.expecting), "forbidding_toml": _toml(chain.forbidding)}
                for chain in one.chains
            ],
            "expectations": plain(one.expectations),
        })  # fmt: skip
    policy = None if rulebook is None else {"file": rulebook.policy.file, "rules": len(rulebook.policy.rules)}
    return {"schema": "portulan.why/1", "query": query, "policy": policy, "results": results}


def _toml(rule: Rule | None) -> str | None:
    return None if rule is None else render_rule(rule)


# --------------------------------------------------------------------------------------------------------------- text


def _render(one: Explanation, rulebook: Rulebook | None, style: Style) -> str:
    """Render a port: the map once, then a chain for each kind of socket, or who would be expected."""
    parts = [render_map(one.answer, one.entry, style), render_uses(one.answer, one.entry.known_uses, style)]
    if not one.chains:
        claims = [say_claim(claim) for claim in one.answer.claims or ()]
        parts.append(_section("Here, now", ["no socket holds or dials it", *claims], style))
        parts.append(_render_policy_alone(one, rulebook, style))
        parts += [_render_expectation(expectation, style) for expectation in one.expectations]
    for number, chain in enumerate(one.chains, 1):
        mark = f" {number} of {len(one.chains)}" if len(one.chains) > 1 else ""
        parts += _render_chain(chain, mark, rulebook, style)
    return "\n\n".join(part for part in parts if part) + "\n"


def _render_chain(chain: Chain, mark: str, rulebook: Rulebook | None, style: Style) -> Iterator[str]:
    verdict = chain.verdict
    times = f", {chain.count} sockets" if chain.count > 1 else ""
    squats = f", squats on {verdict.squats_on}" if verdict.squats_on else ""
    said = f"Why{mark}: {verdict.attention}: {verdict.judgement}{squats} ({verdict.rule} {chain.name}){times}"
    yield style.paint(wrap(clean(said), style.width, ""), verdict.attention)
    at = verdict.subject.observed_at
    says = [_say_evidence(item, at) for item in verdict.because if item.kind in {"registry", "use"}]
    sections = {
        "What was seen": [f"{fact.what}: {fact.value} [{fact.source}]" for fact in chain.seen],
        "What the map says": says or ["nothing that was weighed"],
        "What the claims say": list(_say_claims(verdict)),
        "What the policy says": list(_say_policy(chain, rulebook)),
        "What decided": list(_say_decision(chain)),
        "Beside that": [f"{note.rule}: {note.statement} [{note.source}]" for note in verdict.notes],
        "What to do": [verdict.advice] if verdict.advice else [],
        "What would change it": [
            f"if {change.statement}: {change.attention}: {change.judgement} ({change.rule})" for change in chain.changes
        ],
    }
    told = [(title, lines) for title, lines in sections.items() if lines]
    for number, (title, lines) in enumerate(told, 1):
        yield _section(f"{number}. {title}", lines, style)
    yield _render_rules(chain, rulebook)


def _say_claims(verdict: Verdict) -> Iterator[str]:
    """Say who has claimed the port, and whether the socket is his."""
    for standing in verdict.claims:
        whose = {True: "it is theirs", False: "it is not theirs", None: "whether it is theirs cannot be told"}
        yield f"{say_claim(standing.claim)} [{standing.place}]"
        yield f"{whose[standing.own]}: {standing.statement} [{standing.source}]"


def _say_evidence(item: Evidence, at: datetime) -> str:
    """Quote evidence with its source, and how old that was when the socket was seen."""
    age = ""
    if item.kind == "registry":
        _, _, snapshot = item.source.partition(":")
        year, month = snapshot[:4], snapshot[5:7]
        if year.isdigit() and month.isdigit():
            months = max((at.year - int(year)) * 12 + at.month - int(month), 0)
            age = f", {months} months old" if months > 1 else ", of last month" if months else ", of this month"
    elif item.kind in {"process", "probe"}:
        age = f", seen {local_time(at)}"
    return f"{item.statement} [{item.source}{age}]"


def _say_decision(chain: Chain) -> Iterator[str]:
    """Say which rule decided, what that finds, and by what evidence."""
    verdict = chain.verdict
    yield f"{verdict.rule} {chain.name}: {chain.means}"
    for weight in ("decides", "contradicts", "supports"):
        of_weight = [item for item in verdict.because if item.weight == weight]
        yield from [f"{weight}: {_say_evidence(item, verdict.subject.observed_at)}" for item in of_weight]
    if chain.without_policy is not None:
        yield f"without the policy it would be {chain.without_policy}"


def _render_rules(chain: Chain, rulebook: Rulebook | None) -> str:
    """Render the rules that would have it so, to be copied as they are."""
    where = f"in {'ports.toml' if rulebook is None else rulebook.policy.file}"
    deciding = next((bearing.rule for bearing in chain.bearings or () if bearing.decides), None)
    if deciding is not None:  # the first rule that is about it decides
        where += f" before line {deciding.line}"
    effect = deciding.effect if deciding is not None else None
    parts = []
    if chain.expecting is not None and effect not in {"expect", "allow"}:
        parts.append((f"To let it be, a rule {where}:", chain.expecting))
    if effect != "forbid":
        parts.append((f"To forbid it, a rule {where}:", chain.forbidding))
    return "\n\n".join(
        [f"  {clean(title)}\n" + "\n".join([f"    {clean(line)}" for line in render_rule(rule).splitlines()])
         for title, rule in parts]
    )  # fmt: skip


def _section(title: str, lines: Sequence[str], style: Style) -> str:
    return "\n".join([style.paint(title, "heading"), *[wrap(clean(line), style.width, "  ", "    ") for line in lines]])


def _say_policy(chain: Chain, rulebook: Rulebook | None) -> Iterator[str]:
    """Say which rules are about the number, what each has to do with the socket, and which decides."""
    if rulebook is None or chain.bearings is None:
        yield "no policy: portulan learn writes one"
        return
    if not chain.bearings:
        yield f"no rule of {rulebook.policy.file} is about it"
    for bearing in chain.bearings[:MOST_RULES]:
        yield _say_bearing(bearing, rulebook.policy.file)
    if len(chain.bearings) > MOST_RULES:
        yield f"and {len(chain.bearings) - MOST_RULES} more rules about the number"


def _say_bearing(bearing: Bearing, file: str) -> str:
    rule = bearing.rule
    place = f"{file}:{rule.line}"
    about = say_rule(rule)
    what = f"{place} {DOES[rule.effect]}{f' ({about})' if about else ''}"
    if bearing.decides:
        return f"{what}: " + ("decides" if bearing.matches else "would decide, but that cannot be told from here")
    if bearing.expired:
        return f"{what}: has expired"
    if bearing.failing:
        return f"{what}: not this socket, by {', '.join(bearing.failing)}"
    return f"{what}: comes too late, the first rule decides"


def _render_policy_alone(one: Explanation, rulebook: Rulebook | None, style: Style) -> str:
    if rulebook is None or one.rules is None:
        return ""
    file = rulebook.policy.file
    said = [
        f"{file}:{rule.line} {DOES[rule.effect]} to be {HOLDS[rule.direction]}"
        f"{f' ({about})' if (about := say_rule(rule)) else ''}"
        for rule in one.rules[:MOST_RULES]
    ]
    return _section("What the policy says", said or [f"no rule of {file} names it"], style)


def _render_expectation(expectation: Expectation, style: Style) -> str:
    """Render who would be expected, the most welcome first."""
    title = f"If it were {HOLDS[expectation.direction]} by {expectation.transport.upper()}"
    holders = sorted(expectation.holders, key=lambda holder: SEVERITY[holder.attention])
    lines = [
        f"{f'{holder.product} ({holder.program})' if holder.product else 'anything else'}: "
        f"{holder.attention}: {holder.judgement} ({holder.rule})"
        for holder in holders
    ]
    return _section(title, lines, style)
