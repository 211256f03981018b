#!/usr/bin/env python3
"""What Portulan costs, beside what others cost, measured side by side in one run.

Every command is started as a user starts it, as a whole process through its installed launcher, with its output thrown
away. The commands of one machine take turns, round after round; the first round is dropped and the medians count. The
figure to trust is processor time (user and system, of the whole process), which other work on the machine hardly moves.

    bench/run.py --portulan .venv/bin/portulan
    bench/run.py --small --only who            quickly, while developing
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import watching
from load import SMALL, Load, LoadError, Size, with_cgroups
from measure import Measured, measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MINIMUM_ROUNDS = 7
FIGURES_EXIT_CODES = (0, 1, 3)
"""What a command may end with and still have done its work: verdicts may be bad news, an owner may be out of reach."""

FEW = Size(services=5, listeners=5, udp=0, files=10, connections=0)
"""The other end: a machine with next to nothing on it, where the start of an interpreter is the whole bill."""

APART = Size(services=41, listeners=41, udp=0, files=10, connections=0, namespaces=20)
"""A machine with twenty containers: what it costs to look into all of them."""

PSUTIL = "import psutil\nfor c in psutil.net_connections('inet'):\n  print(c.laddr, c.raddr, c.status, c.pid)"
PSUTIL_HOLDERS = """\
import psutil
names = {p.pid: p.info['name'] for p in psutil.process_iter(['name'])}
for c in psutil.net_connections('inet'):
  if c.status == 'LISTEN' or not c.raddr: print(c.laddr, c.status, c.pid, names.get(c.pid))"""
PSUTIL_PORT = """\
import psutil, sys
for c in psutil.net_connections('inet'):
  if c.laddr.port == int(sys.argv[1]): print(c.laddr, c.status, c.pid, psutil.Process(c.pid).name())"""
"""What somebody writes who asks the same of psutil: everything, who holds ports, who is on one."""


SCRIPTS = {PSUTIL: "psutil: all", PSUTIL_HOLDERS: "psutil: holders", PSUTIL_PORT: "psutil: port"}
PSUTIL_GOALS = {True: 50, False: None}
"""How much less than psutil one port is to cost, by whether there are control groups."""


class Comparison(NamedTuple):
    """One question, asked of Portulan and of somebody else."""

    name: str
    ours: tuple[str, ...]
    other: tuple[str, ...]
    goal: float | None = None
    """At least so many times less than a peer, or at most so many times an interpreter that does nothing."""
    kind: Literal["at least", "at most"] = "at least"


class Place(NamedTuple):
    """A machine to measure on, and what is asked there. ``size`` is None for this machine as it is."""

    name: str
    size: Size | None
    comparisons: tuple[Comparison, ...]


class Run(NamedTuple):
    """The medians of one command."""

    argv: tuple[str, ...]
    cpu_ms: float
    wall_ms: float
    peak_mib: float
    lines: int
    returncode: int


class Runner(Protocol):
    """What `Load.run` and `measure` have in common."""

    def __call__(self, argv: Sequence[str], *, stdin: int, stdout: int, stderr: int, poll: bool = ...) -> Measured:
        """Run a program to its end."""


def places(portulan: str, python: str, *, small: bool) -> list[Place]:
    """Say what is measured where; a peer that is not installed is left out."""

    def ours(*words: str) -> tuple[str, ...]:
        return (portulan, *words)

    bare = (python, "-c", "pass")
    full = SMALL if small else Size()
    groups = with_cgroups(full)
    whatportis = shutil.which("whatportis", path=f"{Path(python).parent}:{os.environ.get('PATH', os.defpath)}")
    has_psutil = _finds_module(python, "psutil")
    psutil_command = (python, "-c")
    peer_names = ("ss", "lsof", "fuser", "netstat", "whoisport")
    missing = [name for name in peer_names if not shutil.which(name)]
    if missing:
        print(f"bench: not installed and left out: {', '.join(missing)}", file=sys.stderr)

    def one_port(size: Size, ss_goal: float, lsof_goal: float) -> list[Comparison]:
        port = str(size.port)
        return [
            Comparison("who", ours("who", port), ("ss", "-tulnpH", "sport", "=", f":{port}"), ss_goal),
            Comparison("who", ours("who", port), ("lsof", "-nP", f"-iTCP:{port}"), lsof_goal),
            Comparison("who", ours("who", port), (*psutil_command, PSUTIL_PORT, port), PSUTIL_GOALS[size.cgroups]),
            Comparison("who", ours("who", port), ("whoisport", port), 15 if size.cgroups else None),
            Comparison("who", ours("who", port), ("fuser", f"{port}/tcp")),
            Comparison("who", ours("who", port), ("ss", "-tuanpH", *either_side(port))),
        ]

    def everything(size: Size) -> list[Comparison]:
        dialled = str(size.dialled_port)
        listeners = ("ss", "-tulnpH")
        every = ours("who", "--all")
        return [
            Comparison("owners", ours("who"), listeners, 3),
            Comparison("owners", ours("who"), ("lsof", "-nP", "-iTCP", "-sTCP:LISTEN"), 8),
            Comparison("owners", ours("who"), ("netstat", "-tulnp"), 7),
            Comparison("owners", ours("who"), (*psutil_command, PSUTIL_HOLDERS), 8),
            Comparison("every-owner", ours("who", "--all-owners"), listeners, 1.5),
            Comparison("listening", ours("list", "--listening"), listeners, 3),
            Comparison("page", ours(), listeners, 3),
            Comparison("talkers", every, ("ss", "-tuanpH"), 2),
            Comparison("talkers", every, ("lsof", "-nP", "-i")),
            Comparison("talkers", every, (*psutil_command, PSUTIL), 2),
            Comparison("connections", ours("list", "--all"), ("ss", "-tuanpH")),
            Comparison("dialled", ours("who", dialled), ("ss", "-tuanpH", *either_side(dialled))),
            Comparison("dialled", ours("who", dialled), ("ss", "-tuanpH", "dport", "=", f":{dialled}")),
        ]

    lookup = ours("lookup", "2528")
    here = [
        Comparison("lookup", lookup, bare, 1.5, "at most"),
        Comparison("search", ours("search", "postgres"), bare, 2, "at most"),
        Comparison("version", ours("--version"), bare, None, "at most"),
    ]
    if whatportis:
        here.append(Comparison("lookup", lookup, (whatportis, "2528")))
    few = with_cgroups(FEW)
    port = str(few.port)
    few_here = [
        Comparison("who", ours("who", port), bare, 2, "at most"),
        Comparison("port-page", ours(port), bare, None, "at most"),
        Comparison("port-page", ours("2528"), bare, None, "at most"),
        Comparison("who", ours("who", port), ("ss", "-tulnpH", "sport", "=", f":{port}")),
        Comparison("who", ours("who", port), ("lsof", "-nP", f"-iTCP:{port}")),
        Comparison("listening", ours("list", "--listening"), ("ss", "-tulnpH")),
    ]
    listing = ours("list", "--listening")
    everywhere = Comparison("everywhere", listing, (*listing, "--this-namespace"), 3, "at most")
    shared = str(groups.shared_port)
    with_workers = [
        Comparison("workers", ours("who", shared), ("ss", "-tulnpH", "sport", "=", f":{shared}")),
        Comparison("workers", ours("who", shared), ("lsof", "-nP", f"-iTCP:{shared}")),
    ]
    found = [
        Place("start", None, tuple(here)),
        Place("few", few, tuple(few_here)),
        Place("namespaces", APART, (everywhere,)),
        Place("cgroups", groups, (*one_port(groups, 18, 40), *with_workers, *everything(groups))),
        Place("plain", full, (*one_port(full, 5, 12), *everything(full))),
    ]
    left_out = {name: name in missing for name in peer_names} | {python: not has_psutil}
    return [
        place._replace(
            comparisons=tuple(c for c in place.comparisons if c.other == bare or not left_out.get(c.other[0]))
        )
        for place in found
    ]


def either_side(port: str) -> tuple[str, ...]:
    """Ask ss for a port on either side of a socket, which is what `who PORT` tells."""
    return ("(", "sport", "=", f":{port}", "or", "dport", "=", f":{port}", ")")


def without_peer_goals(found: list[Place]) -> list[Place]:
    """Drop the goals against peers, which were set for the full machines."""
    return [
        place._replace(
            comparisons=tuple(c if c.kind == "at most" else c._replace(goal=None) for c in place.comparisons)
        )
        for place in found
    ]


def chosen(found: list[Place], only: Sequence[str]) -> list[Place]:
    """Keep what ``--only`` names: a machine, a question, or both as ``machine/question``."""
    if not only:
        return found
    kept = []
    for place in found:
        names = {c.name for c in place.comparisons if {place.name, c.name, f"{place.name}/{c.name}"} & set(only)}
        if names:
            kept.append(place._replace(comparisons=tuple(c for c in place.comparisons if c.name in names)))
    return kept


def measure_all(run: Runner, commands: Sequence[tuple[str, ...]], rounds: int) -> dict[tuple[str, ...], Run]:
    """Run the commands in turns; returns the medians by command."""
    taken: dict[tuple[str, ...], list[Measured]] = {argv: [] for argv in commands}
    with Path(os.devnull).open("r+b") as null:
        fd = null.fileno()
        for number in range(rounds + 1):
            _progress(f"round {number} of {rounds}")
            for argv in commands:
                taken[argv].append(run(argv, stdin=fd, stdout=fd, stderr=fd))
        _progress("memory and output")
        medians = {}
        for argv, (_first, *kept) in taken.items():
            with tempfile.TemporaryFile() as output:
                run(argv, stdin=fd, stdout=output.fileno(), stderr=fd)
                output.seek(0)
                lines = sum(1 for _ in output)
            polled = run(argv, stdin=fd, stdout=fd, stderr=fd, poll=True)
            medians[argv] = Run(
                argv,
                1e3 * statistics.median(m.cpu_s for m in kept),
                1e3 * statistics.median(m.wall_s for m in kept),
                (polled.peak_kib or 0) / 1_024,
                lines,
                next((m.returncode for m in kept if m.returncode not in FIGURES_EXIT_CODES), kept[-1].returncode),
            )
        _progress("")
    return medians


def count_calls(run: Runner, argv: Sequence[str]) -> int:
    """Count the system calls of a program and its children with strace."""
    with tempfile.NamedTemporaryFile() as log, Path(os.devnull).open("r+b") as null:
        fd = null.fileno()
        run(["strace", "-f", "-qq", "-c", "-o", log.name, *argv], stdin=fd, stdout=fd, stderr=fd)
        for line in Path(log.name).read_text().splitlines():
            words = line.split()
            if words[-1:] == ["total"]:
                return int(words[3])
    return 0


def render_commands(runs: Sequence[Run], short: dict[str, str]) -> str:
    """Render what each command cost."""
    rows = [("command", "CPU ms", "wall ms", "RSS MB", "lines", "exit")]
    rows += [
        (
            _spell(run.argv, short),
            f"{run.cpu_ms:.1f}",
            f"{run.wall_ms:.1f}",
            f"{run.peak_mib:.1f}",
            f"{run.lines}",
            f"{run.returncode}" + " **failed**" * (run.returncode not in FIGURES_EXIT_CODES),
        )
        for run in runs
    ]
    return _render_table(rows)


def render_comparisons(judged: Sequence[tuple[Comparison, float]], short: dict[str, str]) -> str:
    """Render the ratios, each with its goal."""
    rows = [("question", "ours", "against", "ratio", "goal", "")]
    for comparison, ratio in judged:
        times = "x less" if comparison.kind == "at least" else "x"
        goal = "" if comparison.goal is None else f"{comparison.kind} {comparison.goal:g}x"
        rows.append(
            (
                comparison.name,
                _spell(comparison.ours, short),
                _spell(comparison.other, short),
                f"{ratio:.2f}{times}",
                goal,
                {True: "met", False: "**missed**", None: ""}[is_met(comparison, ratio)],
            )
        )
    return _render_table(rows)


def is_met(comparison: Comparison, ratio: float) -> bool | None:
    """Tell whether a ratio meets its goal; None where none is set."""
    if comparison.goal is None:
        return None
    return ratio >= comparison.goal if comparison.kind == "at least" else ratio <= comparison.goal


def _ratio(comparison: Comparison, runs: dict[tuple[str, ...], Run]) -> float:
    ours, other = runs[comparison.ours].cpu_ms, runs[comparison.other].cpu_ms
    return other / ours if comparison.kind == "at least" else ours / other


def _spell(argv: Sequence[str], short: dict[str, str]) -> str:
    words = [SCRIPTS.get(word) or short.get(word, word) for word in argv]
    return f"`{' '.join(words)}`"


def _render_table(rows: Sequence[tuple[str, ...]]) -> str:
    """Render rows, the first of them the heading, as an aligned Markdown table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _finds_module(python: str, name: str) -> bool:
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    return subprocess.run([python, "-c", code], check=False).returncode == 0


def _find_python(portulan: Path) -> Path:
    """Return the interpreter of the launcher's environment; exits where there is none, or the package is editable."""
    hint = "hint: install the wheel into a virtual environment and name its launcher with --portulan"
    if not portulan.is_file():
        print(f"error: there is no {portulan}\n{hint}", file=sys.stderr)
        sys.exit(2)
    python = portulan.parent / "python"
    if not python.is_file():
        print(f"error: {portulan.parent} has no python beside portulan, to compare with\n{hint}", file=sys.stderr)
        sys.exit(2)
    code = "import portulan; print(portulan.__file__)"
    asked = subprocess.run([python, "-c", code], check=False, capture_output=True, text=True)
    if "site-packages" not in asked.stdout:
        print(
            f"bench: portulan is not installed as a wheel beside {python}: its start is not the user's", file=sys.stderr
        )
    return python


@contextlib.contextmanager
def _entered(place: Place) -> Iterator[Runner]:
    if place.size is None:
        yield measure
    else:
        with Load(place.size) as load:
            yield load.run


def _describe(size: Size | None) -> str:
    if size is None:
        return "this machine as it is"
    shared = f", {size.shared} of them with {size.workers} workers" if size.shared else ""
    kind = "each in its cgroup" if size.cgroups else "all in one cgroup"
    return (
        f"{size.processes} processes: {size.services} services {kind}{shared}; {size.listeners} TCP listeners, "
        f"{size.udp} UDP sockets, {size.connections} connections"
    )


def _machine() -> dict[str, str]:
    """Say what the figures were measured on."""
    cpu = "unknown processor"
    with contextlib.suppress(OSError):
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    load = ", ".join(f"{figure:.1f}" for figure in os.getloadavg())
    return {"kernel": platform.release(), "processor": f"{os.cpu_count()} x {cpu}", "load": load}


def _run_place(place: Place, rounds: int, python: str, short: dict[str, str]) -> dict[str, object]:
    """Measure one machine, print its tables and return its figures."""
    commands = list(dict.fromkeys([argv for c in place.comparisons for argv in (c.other, c.ours)]))
    calls: dict[str, int] = {}
    with _entered(place) as run:
        runs = measure_all(run, commands, rounds)
        if shutil.which("strace"):
            whos = [argv for argv in commands if argv[1:2] == ("who",)][:1]
            calls = {_spell(argv, short): count_calls(run, argv) for argv in ((python, "-c", "pass"), *whos) if whos}
    judged = [(comparison, _ratio(comparison, runs)) for comparison in place.comparisons]
    print(f"\n### {place.name}\n\n{_describe(place.size)}\n")
    print(render_commands([runs[argv] for argv in commands], short))
    print(f"\n{render_comparisons(judged, short)}")
    if calls:
        print(f"\nSystem calls, whole process: {', '.join(f'{name} {count}' for name, count in calls.items())}")
    sys.stdout.flush()
    return {
        "name": place.name,
        "description": _describe(place.size),
        "runs": [run._asdict() for run in runs.values()],
        "comparisons": [{**c._asdict(), "ratio": ratio, "met": is_met(c, ratio)} for c, ratio in judged],
        "system_calls": calls,
    }


def _run_watch(portulan: str, rounds: int, *, small: bool) -> list[watching.Share]:
    """Measure what a watch costs while nothing happens; it is no question that somebody else could be asked."""
    try:
        # A watch lasts a minute, whatever it costs: three tell as much as nine.
        shares = watching.measure_watch(portulan, min(rounds, 3), small=small)
    except LoadError as error:
        print(f"bench: {watching.NAME} is left out: {error}", file=sys.stderr)
        return []
    print(watching.render(shares, watching.QUIET_SMALL if small else watching.QUIET))
    return shares


def main() -> int:
    """Measure what is asked for; ends with 0 whatever the figures are, since a busy machine proves nothing."""
    parser = argparse.ArgumentParser(prog="bench/run.py", description="Measure Portulan beside its peers.")
    beside = Path(sys.executable).with_name("portulan")
    parser.add_argument(
        "--portulan", type=Path, default=beside, metavar="PATH", help=f"the launcher (default {beside})"
    )
    parser.add_argument("--rounds", type=int, default=9, help="rounds that count (default %(default)s)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a machine, question or machine/question"
    )
    parser.add_argument("--small", action="store_true", help="small machines: for trying the bench itself")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    options = parser.parse_args()
    if options.rounds < MINIMUM_ROUNDS:
        print(f"bench: fewer than {MINIMUM_ROUNDS} rounds: for a first look only", file=sys.stderr)
    portulan = options.portulan.absolute()
    python = _find_python(portulan)
    wanted = chosen(places(str(portulan), str(python), small=options.small), options.only)
    if options.small:
        wanted = without_peer_goals(wanted)
    watched = not options.only or watching.NAME in options.only
    if not wanted and not watched:
        parser.error(f"nothing is called {' or '.join(options.only)}")
    if os.geteuid() != 0:
        print(
            "bench: not root: the busy machines need it and are left out; only the start is measured", file=sys.stderr
        )
        wanted = [place for place in wanted if place.size is None]
        watched = False
    short = {str(portulan): "portulan", str(python): "python"}
    machine = _machine()
    print(
        f"{machine['processor']}, Linux {machine['kernel']}, load {machine['load']}; {options.rounds} rounds, medians"
    )
    figures = []
    try:
        for place in wanted:
            try:
                figures.append(_run_place(place, options.rounds, str(python), short))
            except LoadError as error:
                print(f"bench: {place.name} is left out: {error}", file=sys.stderr)
        shares = _run_watch(str(portulan), options.rounds, small=options.small) if watched else []
    except KeyboardInterrupt:
        return 130
    if options.json:
        document = {"schema": "portulan.bench/1", "machine": machine, "rounds": options.rounds, "places": figures}
        document["watch"] = [share._asdict() for share in shares]
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
