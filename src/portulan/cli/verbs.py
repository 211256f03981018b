"""The verbs that are asked less often; each builds only the parser it needs."""

from __future__ import annotations

import argparse
import sys

from portulan.cli import FORMATS, parse_format, place_of_verb
from portulan.errors import UsageError
from portulan.model import PORTS, TRANSPORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Any, NoReturn

    from _typeshed import SupportsWrite

SHORTEST_S, LONGEST_S = 0.05, 1_000_000_000
SERVICE_CODES = 1 << 32
"""How many service codes DCCP has (RFC 4340)."""

HELP = """\
usage: portulan [PORT | NAME | VERB ...] [options]

What is on this port, and is it what belongs there?

  what is on this machine
    portulan                         every listening port here: who, what the map says, the verdict
    portulan list [--all]            listening and dialling; --all adds the connections of listeners, --listening
                                     leaves out what dials
    portulan who [PORT ...] [--all]  who holds or dials a port, or who holds any, without the map; --all adds all others
                                     that talk
    portulan watch [PORT ...]        what appears, vanishes and changes its holder; a live table on a terminal
  what somebody else has seen
    portulan observe FILE|DIR|-      the output of ss, lsof, netstat, nmap, masscan, osquery, Zeek ..., judged; or the
                                     files of a repository that declare ports
    portulan observe --to PLACE      what is on this machine, or in FILE, into a folder or bucket that many write to
  what answers
    portulan identify [HOST[:PORTS]] what protocol really answers, by asking: here, or on a host that agrees
    portulan scan TARGET ...         what is open there, with verdicts: addresses, names, networks, ranges; this machine
                                     is read, not scanned
  is that as it should be?
    portulan learn                   a policy of what is on this machine; of what firewalls, goss, compose ... expect
    portulan check [OBSERVATIONS]    what is otherwise than the policy ports.toml expects, here or in a record
    portulan diff A B                what has changed between two looks, recordings, or folders of a fleet
    portulan why PORT|RULE           the verdict as a chain: what was seen, what decided, what would change it
  which port may I take, and how do I keep it
    portulan suggest [NAME]          the best port for a service of this project, ten others, and why
    portulan claim NAME --port N     have it for oneself, though nothing listens there yet
    portulan run NAME -- CMD         claim it, listen, and become CMD, which is handed the sockets and has PORT set
    portulan claims                  who has which port, and who holds it
    portulan renew NAME, portulan release NAME   let a claim expire later; give it back
    portulan lint [PATH]             what speaks against the ports that a repository declares, and which meet
  what is this port
    portulan 2528 | 2528/tcp | ssh   the page: verdict, map, known uses, who is there, how to check by hand
    portulan lookup PORT|NAME ...    the map alone
    portulan search WORDS            over names, descriptions, assignees, references and known uses
  the registry
    portulan registry info           which snapshot of IANA's registry, and how old
    portulan registry update SOURCE  take a newer one: IANA's CSV or XML, a file or an https address
    portulan registry diff A B       what changed between two snapshots (2020-07, current, former, a file)
    portulan registry draft NAME     an application to IANA, as text to paste, and what it would be refused for
  the atlas
    portulan atlas serve             a page for each port in a browser, with this machine in it
    portulan atlas chart             the chart of all 65,536 ports, as SVG or PNG
  the shell
    portulan completion bash|zsh|fish

watch
  --jsonl                        a document an event, as --format jsonl
  --record FILE   --keep DAYS    keep a history in FILE (SQLite), and there the last days only
  --all   --present              the connections of listeners as well; what is there when it begins as well
  --every SECONDS   --for SECONDS   how often it looks (1); for how long it watches

identify
  --udp PORTS   --blind          ask these by UDP; use nothing that this machine or the map knows
  --history FILE                 ask first for what answered earlier, as identify, scan or nmap wrote it down
  --yes   --consent              ask without showing the plan; also what can disturb (printers, controllers ...)
  --transcript                   show what was said, byte by byte
  --i-am-allowed                 ask also hosts outside of private networks

scan
  --ports PORTS|all   --exclude TARGETS   which ports (all of one host, the likely ones of many); whom to leave out
  --connect                      scan this machine too, as a connection sees it
  --rate N   --resume FILE       at most so many connections a second; go on with a scan that was interrupted
  --probe   --consent            ask what answers on the open ports, as identify does
  --yes   --i-am-allowed         also more than a million connections; also hosts outside of private networks

check, why
  --policy FILE                  else $PORTULAN_POLICY, ./ports.toml, ~/.config/portulan/ports.toml; the page and the
                                 list have verdicts by it too, where it is named
  --fail-on investigate|look|never   what the exit code 1 stands for
  --format FORMAT   --output FORMAT=FILE   text, json, jsonl, csv, sarif, junit, github, nagios, prometheus, markdown
  --validate                     read the policy, and check nothing
  --resolve                      look up the hosts that rules name

suggest
  --count N   --block N          so many ports, or blocks of so many consecutive ones
  --portable                     on Linux, macOS and Windows
  --project NAME   --bare        else as git calls it; the chosen numbers alone

claim, renew, release, claims
  --port N   --block N           which number; of a claim, so many from there
  --purpose TEXT                 what a claim is for, for whoever is refused
  --expires 30d                  in so many s, m, h, d or w it is over; else never
  --held                         release: also what a process holds that is known to be gone
  --scope user|machine|team      among whom nobody else may have it (user)
  --ledger PLACE                 a file, or a PostgreSQL of a team; else $PORTULAN_LEDGER, or that of the scope

run
  --port N   --block N   --udp   which number; so many from there; UDP as well
  --public                       listen on all addresses, not on loopback alone
  --another                      where the number is taken, the next that suggest knows
  --no-fd                        for what takes only a number: the sockets are closed just before CMD begins
  --scope, --ledger              as claim's

lint
  --policy FILE                  what is allowed ([[lint.allow]]); else ports.toml in PATH
  --all                          also what a careful person would not speak of
  --fail-on, --output            as check's; --format text|json|jsonl|csv|sarif|github

atlas serve
  --port N                       else the one that is portulan/atlas's own
  --public --host NAME           for everybody: the map alone, on every address, under that name

observe
  --from FORMAT                  the format, where it is not told by the beginning; portulan observe --help lists them
  --host NAME   --at TIME        the machine that it was seen on, and when, where the record does not tell
  --to FILE.parquet|DIR|URL      write it there as Parquet, partitioned by date and host

atlas chart
  --svg   --png                  as SVG, or as PNG
  --port N   --square FIRST      the 256 ports around one, with their names; the square of 1,024 ports from FIRST on
  --dark   --width PIXELS        for a dark ground; the width of a PNG (1024)
  --output FILE                  write there, not to standard output

registry draft
  --transport tcp|udp|sctp|dccp  what it uses today; may be given several times, as --port and --answer
  --port N|user|system           a number, or the range that IANA is to choose from; without it the name alone
  --assignee, --contact, --description, --reference, --code, --unauthorized, --notes TEXT
  --answer QUESTION=TEXT         one of what IANA asks; the draft has the questions

options
  --format text|json|jsonl|csv   --json for --format json
  --all-owners                   look through every descriptor of every process for further owners
  --all-namespaces               who: look into every network namespace, as the page and the list do
  --this-namespace               the page and the list: look into this network namespace only
  --probe                        the page: ask what answers, for the verdict to weigh
  --with-command-lines           show command lines (they may hold secrets; a terminal shows them on a page)
  --history FILE                 who used a port before, from a recording (default: $PORTULAN_HISTORY, the
                                 user's own, or the machine's)
  --limit N                      at most so many hits of a search (20)
  --version, --help

exit codes
  0   nothing to investigate         1   a verdict says investigate, or what was asked for does not exist
  2   usage or data error            3   something was refused: what is shown is incomplete
  130 interrupted                        of several that apply: 130, 2, 1, 3, 0
"""


class Parser(argparse.ArgumentParser):
    """A parser that reports as the rest of the program does."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise UsageError(message, hint=f"{self.prog} --help")

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; what cannot be written is an error, which argparse would hide."""
        (file or sys.stdout).write(self.format_help())


def run_verb(words: list[str]) -> int:
    """Run a verb, or print the help."""
    verbs: dict[str, Callable[[list[str]], int]] = {
        "watch": run_watch,
        "observe": run_observe,
        "identify": run_identify,
        "scan": run_scan,
        "learn": run_learn,
        "check": run_check,
        "diff": run_diff,
        "why": run_why,
        "run": run_run,
        "claim": run_claims("claim", "Have a port for yourself, though nothing listens there yet."),
        "release": run_claims("release", "Give back what was claimed."),
        "renew": run_claims("renew", "Let a claim expire later: as long from now as it was made for."),
        "claims": run_claims("claims", "Who has which port, or holds one; what is over ends by looking."),
        "suggest": run_suggest,
        "lint": run_lint,
        "registry": run_registry,
        "atlas": run_atlas,
        "completion": run_completion,
    }
    position = place_of_verb(words)
    verb = words[position] if position is not None else "help"
    if verb not in verbs or position is None:
        sys.stdout.write(HELP)
        return 0
    try:
        return verbs[verb](words[:position] + words[position + 1 :])
    except SystemExit as done:  # argparse ends --help in this way
        return int(done.code or 0)


def _parser(verb: str, description: str) -> Parser:
    parser = Parser(prog=f"portulan {verb}", description=description, allow_abbrev=False)
    _add_formats(parser, "text")
    return parser


def _add_formats(parser: Parser, default: str, formats: Sequence[str] = FORMATS) -> None:
    parser.add_argument("--format", type=_format, default=default, metavar="|".join(formats))
    parser.add_argument(
        "--json", dest="format", action="store_const", const="json", default=default, help="the same as --format json"
    )


def _format(value: str) -> str:
    return parse_format(value)


# ------------------------------------------------------------------------------------------------------------- watch


def run_watch(words: list[str]) -> int:
    """Watch what appears, vanishes and changes its holder."""
    parser = Parser(
        prog="portulan watch",
        description="What appears, vanishes and changes its holder, with verdicts: a live table on a terminal, "
        "a line an event elsewhere.",
        allow_abbrev=False,
    )
    parser.add_argument("ports", nargs="*", metavar="PORT|NAME", help="only these; all without any")
    parser.add_argument("--format", type=_format_of_watch, default="text", metavar="text|jsonl")
    parser.add_argument("--jsonl", dest="format", action="store_const", const="jsonl", help="a JSON document an event")
    parser.add_argument("--all", action="store_true", help="also the connections of listeners")
    parser.add_argument("--present", action="store_true", help="also what is there when it begins")
    parser.add_argument("--record", metavar="FILE", help="keep a history in an SQLite file, made for you alone")
    parser.add_argument("--keep", type=_days, metavar="DAYS", help="forget what was last seen longer ago")
    parser.add_argument("--every", type=_seconds, default=1.0, metavar="SECONDS", help="how often it looks (1)")
    parser.add_argument("--for", dest="seconds", type=_seconds, metavar="SECONDS", help="end after so long")
    flags = parser.parse_args(words)
    from portulan.watched import check_system  # noqa: PLC0415  # the other verbs do without

    check_system()  # before what only Linux has is imported
    from portulan.cli.watch import run  # noqa: PLC0415  # as above

    return run(flags)


def _format_of_watch(value: str) -> str:
    if parse_format(value) not in {"text", "jsonl"}:
        message = f"a watch has no end, and so no {value}"
        raise UsageError(message, hint="portulan watch --jsonl")
    return value


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0
    if not SHORTEST_S <= seconds <= LONGEST_S:
        message = f"{value[:40]!r} is not a number of seconds from {SHORTEST_S} to {LONGEST_S}"
        raise UsageError(message, hint="portulan watch --every 5 --for 3600")
    return seconds


def _days(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 5 and int(value) > 0):  # noqa: PLR2004  # 270 years
        message = f"{value[:40]!r} is not a number of days"
        raise UsageError(message, hint="portulan watch --record FILE --keep 90")
    return int(value)


# ----------------------------------------------------------------------------------------------------------- observe


def run_observe(words: list[str]) -> int:
    """Judge what somebody else has seen, or write observations where many machines do."""
    parser = _parser("observe", "What other tools have seen or files declare, judged; or written to a place for many.")
    parser.add_argument("places", nargs="*", metavar="FILE|DIR|URL|-", help="none: this machine, with --to")
    parser.add_argument("--from", dest="reader", metavar="FORMAT", help="where it is not told by the beginning")
    parser.add_argument("--host", metavar="NAME", help="the machine it is about, where the record does not tell")
    parser.add_argument("--at", type=_time, metavar="TIME", help="when it was seen, where the record does not tell")
    parser.add_argument("--to", metavar="FILE.parquet|DIR|URL", help="write there, and judge nothing")
    if {"--help", "-h"} & set(words):
        from portulan.observe.readers import formats  # noqa: PLC0415  # only for this list

        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.epilog = "formats\n" + "".join([f"  {name:<22} {reader.SAYS}\n" for name, reader in formats().items()])
    flags = parser.parse_args(words)
    from portulan.cli.observe import run  # noqa: PLC0415  # the other verbs do without

    return run(flags)


def _time(value: str) -> datetime:
    from datetime import UTC, datetime  # noqa: PLC0415  # the other verbs do without

    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        message = f"{value[:40]!r} is not a time"
        raise UsageError(message, hint="write it as 2026-02-28T12:00:00Z") from None
    return at.astimezone(UTC)


# ---------------------------------------------------------------------------------------------------------- identify


def run_identify(words: list[str]) -> int:
    """Ask what protocol really answers."""
    parser = _parser("identify", "What protocol really answers on a port, by asking; without a target, here.")
    parser.add_argument("target", nargs="?", metavar="HOST[:PORTS]", help="ports as 22,80,8000-8100; none: all here")
    parser.add_argument("--udp", metavar="PORTS", help="ask these by UDP")
    parser.add_argument(
        "--blind", action="store_true", help="use nothing that is known before, but to leave debuggers alone"
    )
    parser.add_argument("--consent", action="store_true", help="also ask what can disturb: printers, controllers ...")
    parser.add_argument("--yes", action="store_true", help="ask this machine's listeners without showing the plan")
    parser.add_argument("--history", metavar="FILE", help="ask first for what answered earlier: identify's or nmap's")
    parser.add_argument("--transcript", action="store_true", help="show what was said, byte by byte")
    parser.add_argument("--i-am-allowed", action="store_true", help="ask also hosts outside of private networks")
    flags = parser.parse_args(words)
    from portulan.cli.identify import run  # noqa: PLC0415  # the other verbs do without

    return run(flags)


# -------------------------------------------------------------------------------------------------------------- scan


def run_scan(words: list[str]) -> int:
    """Find what is open."""
    parser = _parser("scan", "What is open on some hosts, by connecting, with verdicts. UDP: portulan identify --udp.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="address, name, network, range or HOST:PORTS")
    parser.add_argument(
        "--ports", metavar="PORTS|all", help="as 22,80,8000-8100; none: all of one host, else the likely"
    )
    parser.add_argument("--exclude", action="append", default=[], metavar="TARGETS", help="leave these out")
    parser.add_argument("--connect", action="store_true", help="scan this machine too, which is only read otherwise")
    parser.add_argument("--rate", type=_rate, metavar="N", help="at most so many connections a second")
    parser.add_argument("--resume", metavar="FILE", help="go on with a scan that was interrupted; keep it there")
    parser.add_argument("--probe", action="store_true", help="ask what answers on the open ports, as identify does")
    parser.add_argument("--consent", action="store_true", help="with --probe, also ask what can disturb")
    parser.add_argument("--yes", action="store_true", help="also more than a million connections")
    parser.add_argument("--i-am-allowed", action="store_true", help="scan also hosts outside of private networks")
    parser.add_argument("--udp", metavar="PORTS", help=argparse.SUPPRESS)  # to say who asks by UDP
    flags = parser.parse_args(words)
    from portulan.cli.scan import run  # noqa: PLC0415  # the other verbs do without

    return run(flags)


def _rate(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 7 and int(value) > 0):  # noqa: PLR2004  # as below
        message = f"{value[:40]!r} is not a number from 1 to 9999999"
        raise UsageError(message, hint="portulan scan 192.168.0.10 --rate 500")
    return int(value)


# ------------------------------------------------------------------------------------------------------------ policy


def run_learn(words: list[str]) -> int:
    """Write a policy of what is there."""
    parser = Parser(
        prog="portulan learn",
        description="A policy from what is on this machine, on standard output; or from a record, a fleet, or files "
        "that say what is expected: firewalls, goss, InSpec, compose, manifests, units.",
        allow_abbrev=False,
    )
    from portulan.cli.learn import add_arguments, run  # noqa: PLC0415  # the other verbs do without

    add_arguments(parser)
    return run(parser.parse_args(words))


def run_check(words: list[str]) -> int:
    """Compare a policy with what is there."""
    parser = Parser(
        prog="portulan check",
        description="What is otherwise than a policy expects: on this machine, in a record, in a fleet.",
        allow_abbrev=False,
    )
    from portulan.cli.check import add_arguments, run  # noqa: PLC0415  # the other verbs do without

    add_arguments(parser)
    return run(parser.parse_args(words))


def run_diff(words: list[str]) -> int:
    """Tell what has changed between two looks."""
    parser = _parser("diff", "What has changed from A to B: observations, recordings, folders of a fleet, or `here`.")
    from portulan.cli.diff import add_arguments, run  # noqa: PLC0415  # the other verbs do without

    add_arguments(parser)
    return run(parser.parse_args(words))


def run_why(words: list[str]) -> int:
    """Tell a verdict as a chain."""
    parser = Parser(
        prog="portulan why",
        description="The verdict on a port as a chain: what was seen, what the map says, what decided, what would "
        "change it; or what a rule is about (portulan why PT104).",
        allow_abbrev=False,
    )
    from portulan.cli.why import add_arguments, run  # noqa: PLC0415  # the other verbs do without

    add_arguments(parser)
    return run(parser.parse_args(words))


# ------------------------------------------------------------------------------------------------------------ claims


def run_claims(verb: str, description: str) -> Callable[[list[str]], int]:
    """Return what runs a verb of the ledger."""

    def run_verb_of_ledger(words: list[str]) -> int:
        parser = _parser(verb, description)
        from portulan.cli.claims import add_arguments, run  # noqa: PLC0415  # the other verbs do without

        add_arguments(parser, verb)
        return run(parser.parse_args(words), verb)

    return run_verb_of_ledger


# ------------------------------------------------------------------------------------------------------ coordination


def run_suggest(words: list[str]) -> int:
    """Choose a port."""
    parser = _parser(
        "suggest", "The best port for a service of a project, ten others as good, and why; the same in each worktree."
    )
    from portulan.cli.suggest import add_arguments, run  # noqa: PLC0415  # the other verbs do without

    add_arguments(parser)
    return run(parser.parse_args(words))


def run_run(words: list[str]) -> int:
    """Run a program with its port."""
    parser = Parser(
        prog="portulan run",
        usage="portulan run NAME [options] -- CMD [ARG ...]",
        description="Run a program with a port of its own: claimed, bound, listening, and handed over as systemd hands "
        "sockets over (LISTEN_FDS), with PORT set; the claim ends with the program.",
        allow_abbrev=False,
    )
    from portulan.cli.run import add_arguments, run, split  # noqa: PLC0415  # the other verbs do without

    add_arguments(parser)
    ours, command = split(words)
    return run(parser.parse_args(ours), command)


def run_lint(words: list[str]) -> int:
    """Judge what a repository declares."""
    parser = Parser(
        prog="portulan lint",
        description="What speaks against the ports that the files of a repository declare, and which of them meet.",
        allow_abbrev=False,
    )
    from portulan.cli.lint import add_arguments, run  # noqa: PLC0415  # the other verbs do without

    add_arguments(parser)
    return run(parser.parse_args(words))


# ---------------------------------------------------------------------------------------------------------- registry


def run_registry(words: list[str]) -> int:
    """Tell of the registry's snapshot, take another, compare two, or draft an application for a row of it."""
    parser = _parser("registry", "The snapshot of IANA's registry that everything else is said from.")
    verbs = parser.add_subparsers(dest="what", required=True, parser_class=Parser, metavar="info|update|diff|draft")
    verbs.add_parser("info", help="which snapshot, and how old")
    update = verbs.add_parser("update", help="take a newer snapshot")
    update.add_argument("source", help="IANA's CSV or XML: a file, or an https address")
    update.add_argument("--force", action="store_true", help="even if it is older, or has lost rows")
    update.add_argument("--date", help="the snapshot's date, YYYY-MM or YYYY-MM-DD, where it does not say itself")
    diff = verbs.add_parser("diff", help="what changed between two snapshots")
    diff.add_argument("a", help="2020-07, 2025-03 ..., current, former, or a file")
    diff.add_argument("b")
    _add_draft(verbs.add_parser("draft", help="an application to IANA for a name and a port"))
    for name, verb in verbs.choices.items():
        # Also after the word; what stands before it is kept. A draft has no rows.
        _add_formats(verb, argparse.SUPPRESS, ("text", "json") if name == "draft" else FORMATS)
    flags = parser.parse_args(words)
    if flags.what == "draft":
        from portulan.cli.draft import run as run_draft  # noqa: PLC0415  # the other verbs do without

        return run_draft(flags)
    from portulan.cli import registry  # noqa: PLC0415  # the other verbs do without

    run: dict[str, Callable[[Any], int]] = {"info": registry.info, "update": registry.update, "diff": registry.diff}
    return run[flags.what](flags)


def _add_draft(parser: Parser) -> None:
    parser.description = "IANA's application for a service name and a port number (RFC 6335, section 8.1.1), to paste."
    parser.epilog = "Exit code 1: it would be refused as it stands."
    parser.add_argument("name", metavar="NAME", help="the service name that is applied for")
    parser.add_argument(
        "--transport", type=str.lower, choices=TRANSPORTS, action="append", default=[], help="what it uses today"
    )
    parser.add_argument(
        "--port", type=_wanted_port, action="append", default=[], metavar="N|user|system", help="none: the name alone"
    )
    parser.add_argument("--assignee", metavar="TEXT", help="to whom it is assigned: Name <e-mail address>")
    parser.add_argument("--contact", metavar="TEXT", help="who answers questions: Name <e-mail address>")
    parser.add_argument("--description", metavar="TEXT", help="what it is, in a few words")
    parser.add_argument("--reference", metavar="TEXT", help="what describes it, and whether it uses broadcast ...")
    parser.add_argument("--code", type=_service_code, metavar="N", help="the service code, for DCCP")
    parser.add_argument("--unauthorized", metavar="TEXT", help="who else is known to use the number")
    parser.add_argument("--notes", metavar="TEXT", help="whatever else concerns the assignment")
    parser.add_argument(
        "--answer", action="append", default=[], metavar="QUESTION=TEXT", help="the answer to a question of the draft"
    )


def _wanted_port(value: str) -> int | str:
    if value in {"user", "system"}:
        return value
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(PORTS)) and int(value) < PORTS):
        message = f"{value[:40]!r} is not a port number"
        raise UsageError(
            message, hint="a number from 0 to 65535, or the range that IANA is to choose from: --port user"
        )
    return int(value)


def _service_code(value: str) -> int:
    try:
        code = int(value, 0)
    except ValueError:
        code = -1
    if not 0 <= code < SERVICE_CODES:
        message = f"{value[:40]!r} is not a service code"
        raise UsageError(message, hint="a number of 32 bits: --code 1685351985, or --code 0x6474706e")
    return code


# ------------------------------------------------------------------------------------------------------------- atlas


def run_atlas(words: list[str]) -> int:
    """Show the atlas, or draw its chart."""
    parser = Parser(prog="portulan atlas", description="All 65,536 ports, to look at.", allow_abbrev=False)
    verbs = parser.add_subparsers(dest="what", required=True, parser_class=Parser, metavar="serve|chart")
    serve = verbs.add_parser("serve", help="a page for each port in a browser")
    chart = verbs.add_parser("chart", help="the chart, as SVG or PNG")
    if "chart" in words:
        from portulan.cli.atlas import add_arguments, run  # noqa: PLC0415  # the other verbs do without

        add_arguments(chart)
        return run(parser.parse_args(words))
    from portulan.cli.serve import add_arguments, run  # noqa: PLC0415  # as above

    add_arguments(serve)
    return run(parser.parse_args(words))


# -------------------------------------------------------------------------------------------------------- completion


def run_completion(words: list[str]) -> int:
    """Print the completion script of a shell."""
    files = {"bash": "portulan.bash", "zsh": "_portulan", "fish": "portulan.fish"}
    parser = Parser(prog="portulan completion", description="Print the completion of a shell.", allow_abbrev=False)
    parser.add_argument("shell", choices=sorted(files))
    flags = parser.parse_args(words)
    from pathlib import Path  # noqa: PLC0415  # the other verbs do without

    path = Path(__file__).parent / "data" / "completions" / files[flags.shell]
    sys.stdout.write(path.read_text(encoding="utf-8"))
    return 0
