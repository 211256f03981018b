"""The door: `main` reads the words, asks, prints, and returns the exit code.

The questions that people ask most (`portulan`, `portulan 2528`, `lookup`, `who`, `list`, `search`) are dispatched by
hand; the other verbs build their own parser in `portulan.cli.verbs`. Exit codes, the first that applies: 130
interrupted, 2 usage, configuration or data error, 1 a verdict says `investigate` or what was asked for does not exist,
3 something was refused, 0.
"""

from __future__ import annotations

import errno
import os
import sys

from portulan.errors import NotFound, PolicyError, PortulanError, UsageError
from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.answer import Answer, NameAnswer
    from portulan.judge.matching import Rulebook
    from portulan.model import Incomplete

VERBS = frozenset(
    {"watch", "observe", "identify", "scan", "learn", "check", "diff", "why", "registry", "completion", "help"}
    | {"claim", "release", "renew", "claims"}
    | {"suggest", "run", "lint", "atlas"}
)
"""Verbs with a parser of their own; `lookup`, `who`, `list` and `search` are dispatched here."""

MOST_HITS = 10_000
MOST_EPISODES = 8
"""So many episodes of a port are shown as text, the most recent; JSON and JSON Lines have all."""
FORMATS = ("text", "json", "jsonl", "csv")
VALUED = frozenset(
    {
        "--format",
        "--limit",
        "--history",
        "--record",
        "--keep",
        "--every",
        "--for",
        "--from",
        "--to",
        "--host",
        "--at",
        "--udp",
        "--ports",
        "--exclude",
        "--rate",
        "--resume",
        "--policy",
        "--fail-on",
        "--output",
        "--port",
        "--scope",
        "--expires",
        "--purpose",
        "--ledger",
        "--square",
        "--width",
        "--count",
        "--block",
        "--project",
    }
)
"""Options with a value, which may be a word of its own."""

SWITCHES = {
    "--all-owners": "all_owners",
    "--with-command-lines": "with_command_lines",
    "--listening": "listening",
    "--all": "accepted",
    "--all-namespaces": "all_namespaces",
    "--this-namespace": "this_namespace",
    "--probe": "probe",
}
CONTRADICTIONS = (
    ("--listening", "--all", "--all adds the connections of listeners"),
    ("--all-namespaces", "--this-namespace", "the page and the list look into all anyway, who only into this one"),
)
ONLY_FOR = {"--listening": ("list",), "--all": ("list", "who"), "--limit": ("search",)}
"""Options that few verbs understand."""
WITHOUT_HISTORY = frozenset({"", "list", "lookup", "search"})
WITHOUT_PROBE = WITHOUT_HISTORY | {"who"}
WITHOUT_POLICY = frozenset({"lookup", "search", "who"})

CANNOT_WRITE = frozenset(
    {errno.EAGAIN, errno.EBADF, errno.ECONNRESET, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC}
)
"""What write(2) says of standard output; whatever else fails without a file's name is something else."""


class Options(Value):
    """What the flags of the hand-dispatched questions say."""

    format: str = "text"
    all_owners: bool = False
    with_command_lines: bool = False
    all_namespaces: bool = False
    this_namespace: bool = False
    listening: bool = False
    accepted: bool = False
    limit: int = 20
    history: str | None = None
    probe: bool = False
    policy: str | None = None


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code; no exception of ours or of the system's leaves it."""
    words = sys.argv[1:] if argv is None else list(argv)
    if not sys.stderr:  # closed by the caller: there is nobody to tell
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115  # pathlib costs a start-up; open to the end
    if not sys.stdout:
        say_error("standard output is closed", "send it to a file, or to /dev/null")
        return 2
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a test may have put something simpler there
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _forget("stdout")
        return 130
    except PolicyError as error:
        from portulan.cli.faults import render_faults  # noqa: PLC0415  # start-up

        say(render_faults(error, error.text))
        return 2
    except PortulanError as error:
        say_error(error.message, error.hint)
        return 1 if isinstance(error, NotFound) else 2
    except OSError as error:
        _forget("stdout")
        return 0 if is_of_broken_pipe(error) else say_system_error(error)
    return code


def run(words: list[str]) -> int:
    """Dispatch the words to a verb."""
    place = place_of_verb(words)
    verb = "" if place is None else words[place]
    ours = words[: words.index("--")] if "--" in words else words  # of `run` the rest is another program's
    if "--version" in ours:
        from portulan import __version__  # noqa: PLC0415  # as below

        sys.stdout.write(f"portulan {__version__}\n")
        return 0
    if "--help" in words or "-h" in words or verb in VERBS:
        from portulan.cli.verbs import run_verb  # noqa: PLC0415  # start-up: the hot questions do without argparse

        return run_verb(words)
    options, rest = parse_options(words, verb)
    if not rest or rest[0] == "list" or rest == ["who"]:
        return run_machine(rest, options)
    if rest[0] == "search":
        from portulan.cli.search import run_search  # noqa: PLC0415  # as above

        return run_search(rest[1:], options)
    return run_ports(rest, options)


def run_machine(words: list[str], options: Options) -> int:
    """Answer for the whole machine: `portulan`, `list`, `who` without a port."""
    from portulan.cli.machine import print_machine, print_territory  # noqa: PLC0415  # start-up

    if words == ["who"]:
        return print_territory(options)
    if len(words) > 1:
        message = f"list has no place for {words[1][:40]!r}"
        raise UsageError(message, hint=f"who holds or dials one port: portulan {words[1][:40]}")
    return print_machine(options, connections=bool(words) and not options.listening, accepted=options.accepted)


def run_ports(words: list[str], options: Options) -> int:
    """Answer for ports and names: the page, `lookup`, `who`."""
    if words == ["lookup"]:
        message = "lookup needs a port or a name"
        raise UsageError(message, hint="portulan lookup 2528")
    if words[0] in {"lookup", "who"}:
        return answer_all(words[1:], options, map_wanted=words[0] == "lookup", territory=words[0] == "who")
    if len(words) > 1 and not all(word[:1].isdigit() for word in words):
        message = f"too many words: {' '.join(words)[:60]}"
        raise UsageError(message, hint=f"to search for words: portulan search {' '.join(words)[:60]}")
    return answer_all(words, options, map_wanted=True, territory=True)


def place_of_verb(words: list[str]) -> int | None:
    """Return where the first word is that is neither an option nor an option's value."""
    for place, word in enumerate(words):
        if not word.startswith("-") and (not place or words[place - 1] not in VALUED):
            return place
    return None


def parse_options(words: list[str], verb: str) -> tuple[Options, list[str]]:
    """Split flags from the other words, and check that they agree with one another."""
    named, rest = split_options(words, verb)
    for one, other, hint in CONTRADICTIONS:
        if SWITCHES[one] in named and SWITCHES[other] in named:
            message = f"{one} and {other} contradict each other"
            raise UsageError(message, hint=hint)
    return Options(**named), rest  # type: ignore[arg-type]  # each by its name below


def split_options(words: list[str], verb: str) -> tuple[dict[str, object], list[str]]:
    """Split flags from the other words. A negative number is a word: the answer says that it is no port."""
    named: dict[str, object] = {}
    rest: list[str] = []
    queue = iter(words)
    valued = {"--format": parse_format, "--history": parse_file, "--limit": parse_limit, "--policy": parse_policy_file}
    for word in queue:
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word[1:2].isdigit():
            rest.append(word)
        elif word == "--json":
            named["format"] = "json"
        elif not is_for(name, verb):
            page = ("the page",)
            others = {"--probe": page, "--policy": ("list", *page)}
            verbs = ONLY_FOR.get(name, others.get(name, ("who", *page)))
            message = f"{name} is an option of {' and '.join(verbs)}"
            raise UsageError(message, hint="portulan --help lists the options")
        elif name in valued:
            named[name[2:]] = valued[name](value if equals else next(queue, ""))
        elif word in SWITCHES:
            named[SWITCHES[word]] = True
        elif word == "--":
            rest.extend(queue)
        else:
            message = f"no such option: {word[:40]}"
            raise UsageError(message, hint="portulan --help lists them")
    return named, rest


def is_for(name: str, verb: str) -> bool:
    """Tell whether a verb understands an option; the verb of the page is the port or name itself."""
    if name == "--history":
        return verb not in WITHOUT_HISTORY
    if name == "--probe":
        return verb not in WITHOUT_PROBE
    if name == "--policy":
        return verb not in WITHOUT_POLICY
    return verb in ONLY_FOR.get(name, (verb,))


def parse_format(value: str) -> str:
    """Check the name of an output format."""
    if value not in FORMATS:
        message = f"{value[:40]!r} is not a format" if value else "--format needs a value"
        raise UsageError(message, hint=f"one of {', '.join(FORMATS)}")
    return value


def parse_file(value: str) -> str:
    """Check that a file is named."""
    if not value:
        message = "--history needs a file"
        raise UsageError(message, hint="portulan 2528 --history /var/lib/portulan/history.sqlite")
    return value


def parse_policy_file(value: str) -> str:
    """Check that a policy is named."""
    if not value:
        message = "--policy needs a file"
        raise UsageError(message, hint="portulan list --policy ports.toml")
    return value


def find_rulebook(named: str | None) -> Rulebook | None:
    """Return the policy that is named, or that $PORTULAN_POLICY names; None without either."""
    place = named or os.environ.get("PORTULAN_POLICY")
    if not place:
        return None
    from portulan.checked import read_rulebook  # noqa: PLC0415  # start-up

    return read_rulebook(place)


def parse_limit(value: str) -> int:
    """Check how many hits are wanted."""
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(MOST_HITS)) and 0 < int(value) <= MOST_HITS):
        message = f"{value[:40]!r} is not a number from 1 to {MOST_HITS}"
        raise UsageError(message, hint="portulan search voip mail --limit 50")
    return int(value)


def answer_all(queries: list[str], options: Options, *, map_wanted: bool, territory: bool) -> int:
    """Answer each port or name, and return the exit code of the worst."""
    from portulan.answer import ask, resolve  # noqa: PLC0415  # start-up

    missing = None
    for query in queries:  # a wrong word among many is said before anything is printed, the worst one first
        try:
            resolve(query)
        except NotFound as error:
            missing = missing or error
    if missing is not None:
        raise missing
    # `who` is the quick question: the page also looks into other network namespaces, and tells what else there is on a
    # listener's port, as --all and --all-owners do.
    survey_options = {
        "all_owners": options.all_owners,
        "thorough": map_wanted or options.accepted or options.all_owners,
        "everywhere": options.all_namespaces or (map_wanted and not options.this_namespace),
    }
    rulebook = find_rulebook(options.policy) if map_wanted and territory else None
    code = 0
    show_command_lines = options.with_command_lines or (options.format == "text" and sys.stdout.isatty())
    for number, query in enumerate(queries):
        answer = ask(
            query,
            map_wanted=map_wanted,
            territory=territory,
            with_command_lines=show_command_lines,
            history=options.history,
            most_episodes=None if options.format.startswith("json") else MOST_EPISODES,
            probe=options.probe,
            policy=rulebook,
            **survey_options,
        )
        if options.format == "text":
            sys.stdout.write("\n" if number else "")
            _print_text(answer, map_wanted=map_wanted, territory=territory)
        else:
            from portulan.cli.formats import print_answer  # noqa: PLC0415  # json and csv cost a start-up each

            print_answer(
                answer,
                options.format,
                first=number == 0,
                alone=len(queries) == 1,
                map_wanted=map_wanted,
                territory=territory,
            )
        sys.stdout.flush()  # so that what was refused comes after what was seen
        for refused in {item: None for result in answer.results for item in result.incomplete}:
            say_incomplete(refused)
        code = worse(code, exit_code(answer, only_territory=not map_wanted))
    if map_wanted:
        say_passed_over()
    return code


def _print_text(answer: Answer | NameAnswer, *, map_wanted: bool, territory: bool) -> None:
    """Print an answer as text."""
    from portulan.cli.terminal import Style  # noqa: PLC0415  # start-up

    style = Style(sys.stdout)
    if map_wanted:
        from portulan.answer import Answer  # noqa: PLC0415  # start-up
        from portulan.cli.page import render_name, render_page  # noqa: PLC0415

        if isinstance(answer, Answer):
            sys.stdout.write(render_page(answer, style))
        else:
            sys.stdout.write(render_name(answer, style, territory=territory))
        return
    from portulan.cli.sockets import render_territory  # noqa: PLC0415  # start-up

    held = [result for result in answer.results if result.observations]
    for result in held or answer.results[:1]:
        sys.stdout.write(f"{result.port}\n{render_territory(result, style)}\n")
    if not held and len(answer.results) > 1:
        sys.stdout.write(f"... nor any other port up to {answer.results[-1].port}\n")
    for result in answer.results:
        if result.history:
            from portulan.cli.history import render_history  # noqa: PLC0415  # only where there is a recording

            sys.stdout.write(f"{render_history(result.history, result.recorded, style)}\n")
    if not answer.results:
        sys.stdout.write(f"{answer.query} has no port\n")


def exit_code(answer: Answer | NameAnswer, *, only_territory: bool) -> int:
    """Return 1 for a verdict to investigate or a port that nobody holds, 3 where something was refused, else 0."""
    if any(verdict.attention == "investigate" for result in answer.results for verdict in result.verdicts or ()):
        return 1
    if any(result.incomplete for result in answer.results):
        return 3
    if only_territory and not any(result.observations for result in answer.results):
        return 1
    return 0


def worse(one: int, other: int) -> int:
    """Return the exit code that takes precedence: 130, 2, 1, 3, 0."""
    return min(one, other, key=(130, 2, 1, 3, 0).index)


def say_error(message: str, hint: str | None = None) -> None:
    """Say on standard error what happened, and what to do."""
    from portulan.cli.terminal import clean  # noqa: PLC0415  # start-up

    say(f"error: {clean(message)}\n" + (f"hint: {clean(hint)}\n" if hint else ""))


def is_of_broken_pipe(error: OSError) -> bool:
    """Tell whether nobody reads standard output any more: on Windows that is an invalid argument, without a file."""
    if sys.platform == "win32" and error.errno == errno.EINVAL:
        return not error.filename
    return isinstance(error, BrokenPipeError)


def say_system_error(error: OSError) -> int:
    """Say which file the system refuses, or that standard output takes no more; return the exit code."""
    if error.filename:
        named = error.filename if isinstance(error.filename, str) else os.fsdecode(error.filename)
        say_error(f"{named}: {error.strerror}", "see that it is there, and that you may read it")
    elif error.errno in CANNOT_WRITE:
        say_error(f"cannot write: {error.strerror}", "send standard output elsewhere, or free some space")
    else:
        hint = "strace -f shows what it refuses" if sys.platform == "linux" else None
        say_error(f"the system refuses: {error.strerror or error}", hint)
    return 2


def say_passed_over() -> None:
    """Say that a snapshot of the user's is damaged, so that the map is the one that came with the package."""
    from portulan.registry.index import OtherVersion, UnusableIndex, open_index  # noqa: PLC0415  # start-up

    ignored = open_index().ignored
    if isinstance(ignored, UnusableIndex) and not isinstance(ignored, OtherVersion):
        from portulan.cli.terminal import clean  # noqa: PLC0415  # start-up

        say(f"note: {clean(ignored.message)}; the map is the one that came with Portulan\n")
        say(f"hint: {clean(ignored.hint or '')}\n")


def say_incomplete(refused: Incomplete) -> None:
    """Say on standard error what was refused."""
    from portulan.cli.terminal import clean  # noqa: PLC0415  # start-up

    say(f"incomplete: {clean(refused.what)}: {clean(refused.why)}\nhint: {clean(refused.hint)}\n")


def say(text: str) -> None:
    """Write to standard error, for all that is said there; where it is full or closed, the exit code says it alone."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        _forget("stderr")


def _forget(name: str) -> None:
    """Point a standard stream nowhere: nobody takes what is left in it, and the interpreter flushes it at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), getattr(sys, name).fileno())
    except (AttributeError, OSError, ValueError):
        setattr(sys, name, None)  # a stream without a descriptor
