"""What a process is: which product its executable names, and whether that name is to be believed.

The executable (/proc/PID/exe) counts; the name a process gives itself and its command line never do by themselves. A
product's own name is believed where nobody but root could have put the file there and the file is still what was
started. The name of an interpreter, or of a program that several products bundle, names nothing without a second fact:
the unit, the package, the folder or the script.
"""

from __future__ import annotations

from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from portulan.model import Executable, Observation, Process


class Program(Value):
    """What is known of the program behind a socket.

    `rows` are the catalogue's rows that are believed to apply, `second_fact` what made a shared name speak;
    `candidates` the rows of the same name that prove nothing; `disbelief` says why an own name is not believed.
    """

    path: str | None
    rows: tuple[Executable, ...]
    second_fact: str | None
    candidates: tuple[Executable, ...]
    disbelief: str | None
    in_memory: bool

    def called(self) -> str:
        """Return what to call the program in a sentence."""
        return self.path or "the program"


def programs(observation: Observation, catalogue: Mapping[str, tuple[Executable, ...]]) -> list[Program]:
    """Return the distinct programs that hold a socket; one from the unit alone where no executable may be read."""
    found: dict[tuple[object, ...], Program] = {}
    for process in observation.processes:
        if process.executable is not None:
            # Two processes of one file may differ in what is believed of them: one of them may be deleted.
            key = (process.executable, process.executable_status, process.executable_writable, _script(process))
            if key not in found:
                rows = catalogue.get(process.executable, ())
                found[key] = recognise(process, rows, observation)
    return list(found.values())


def recognise(process: Process, rows: tuple[Executable, ...], observation: Observation) -> Program:
    """Weigh the catalogue's rows for a process's executable."""
    path = process.executable
    in_memory = process.executable_status == "in-memory"
    disbelief = None if observation.perspective != "live" else _disbelief(process)
    own = tuple([row for row in rows if row.distinct == "own"])
    if disbelief is not None:
        return Program(path, (), None, rows, disbelief if own else None, in_memory)
    if own:
        # A program that is one product's own and also bundled by others speaks for the first alone, unless a second
        # fact speaks for another.
        bundled, second_fact = _with_second_fact(process, rows, observation)
        return Program(
            path, own + bundled, second_fact, tuple([row for row in rows if row not in own]), None, in_memory
        )
    believed, second_fact = _with_second_fact(process, rows, observation)
    return Program(path, believed, second_fact, tuple([row for row in rows if row not in believed]), None, in_memory)


def unit_program(observation: Observation, catalogue: Iterable[Executable]) -> Program | None:
    """Return the program that a system unit names, for a socket whose owner may not be read."""
    if not _is_system_unit(observation):
        return None
    rows = tuple([row for row in catalogue if row.distinct == "own" and _same_unit(row.unit, observation.unit)])
    if not rows:
        return None
    return Program(None, rows, f"its unit is {observation.unit}", (), None, in_memory=False)


def _disbelief(process: Process) -> str | None:
    if process.executable_status == "in-memory":
        return "the program runs from memory, not from a file"
    if process.executable_status == "deleted":
        return "the file it was started from has been deleted"
    if process.executable_writable is not None:
        return f"{process.executable_writable} can be written by others than root"
    return None


def _with_second_fact(
    process: Process, rows: tuple[Executable, ...], observation: Observation
) -> tuple[tuple[Executable, ...], str | None]:
    """Return the shared rows that a second fact speaks for, and that fact."""
    if all(row.distinct == "own" for row in rows):
        return (), None
    unit = observation.unit if _is_system_unit(observation) else None
    script, package = _script(process), observation.package
    facts = (
        ([row for row in rows if _same_unit(row.unit, unit)], f"its unit is {unit}"),
        ([row for row in rows if package and row.package == package], f"it is of the package {package}"),
        ([row for row in rows if script and slug(row.product) == script], f"it runs the script {script}"),
        ([row for row in rows if row.path == process.executable], f"it is the file {process.executable}"),
    )
    for found, fact in facts:
        # A fact that fits several products tells none of them from the others.
        if found and all(row.product == found[0].product and row.distinct == "shared" for row in found):
            return tuple(found), fact
    return (), None


def _is_system_unit(observation: Observation) -> bool:
    # Units below system.slice are made by root; a user's own manager runs units of any name below user.slice.
    return observation.unit is not None and (observation.cgroup or "").startswith("/system.slice/")


def _same_unit(row_unit: str | None, unit: str | None) -> bool:
    """Compare unit names; `postgresql@.service` stands for every instance of the template."""
    if not row_unit or not unit:
        return False
    template, at, suffix = row_unit.partition("@.")
    if at:
        return unit.startswith(template + "@") and unit.endswith("." + suffix)
    return unit == row_unit


def _script(process: Process) -> str | None:
    """Return the slug of the script or module an interpreter was told to run.

    >>> from portulan.model import Process
    >>> _script(Process(1, "python3", "/usr/bin/python3.11", ("python3", "/usr/bin/uvicorn", "app"), None, None))
    'uvicorn'
    """
    words = iter((process.command_line or ())[1:])
    for word in words:
        if word in {"-m", "-jar"}:
            word = next(words, "")  # noqa: PLW2901  # the option's value is what is run
        elif word.startswith("-"):
            if word in {"-c", "-e", "--eval"}:
                return None
            continue
        name = word.rpartition("/")[2]
        for suffix in (".py", ".pyc", ".js", ".mjs", ".jar", ".rb", ".pl"):
            name = name.removesuffix(suffix)
        return slug(name) or None
    return None


def slug(name: str) -> str:
    """Return the letters and digits of a name, lower case, to compare spellings."""
    return "".join([character for character in name.lower() if character.isalnum()])
