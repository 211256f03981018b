"""What a process is: which product its executable names, and whether that name is to be believed.

The executable (/proc/PID/exe on Linux) counts; the name a process gives itself and its command line never do by
themselves. A product's own name is believed where nobody but root could have put the file there, it is what its package
shipped, and it is still what was started, or was replaced by its package. Where it is not known who can write it
(Windows), or where administrators install programs without being root (macOS), a name is neither believed nor held
against a program, unless it lies where the system lets nobody but administrators write as it comes. A file that cannot
be seen from here proves nothing, and nothing is held against it. The name of an interpreter, or of a program that
several products bundle, names nothing without a second fact: the unit, the package, or where the file lies: a tool that
lies where its own package puts it, and where only root could have put it, is that tool. An interpreter is known by none
of the latter two, since it is not what it runs. The script that it was told to run is mentioned, and proves nothing:
whoever starts the interpreter chooses it.
"""

from __future__ import annotations

from portulan.model import Evidence, Value, base_name, is_of_windows, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from portulan.model import Executable, Observation, Process


class Namesakes:
    """The catalogue's rows for one executable's name, or for one unit: whose program it may be.

    Made once for a name, however many sockets its programs hold.
    """

    __slots__ = (
        "_by_package",
        "_by_path",
        "_by_script",
        "_by_unit",
        "_seen",
        "own",
        "products",
        "relays",
        "rows",
        "serves",
    )

    def __init__(self, rows: tuple[Executable, ...]) -> None:
        self.rows = rows
        self.own = tuple([row for row in rows if row.distinct == "own"])
        self.products = tuple(sorted({row.product for row in rows}))
        self.relays = any(bare_name(row.name) in RELAYS for row in rows)
        self.serves = not any(row.name in FOR_CONTAINERS for row in rows)
        self._seen: dict[tuple[object, ...], Program] = {}
        self._by_unit = _telling(rows, lambda row: row.unit)
        self._by_script = _telling(rows, lambda row: slug(row.product))
        # Where an interpreter lies, and of which package it is, tells only which of several products brought it along.
        telling = () if len(self.products) == 1 and is_interpreter(rows[0].name) else rows
        self._by_package = _telling(telling, lambda row: row.package)
        self._by_path = _telling(telling, lambda row: row.path and folded(row.path))

    def recognise(self, process: Process, observation: Observation) -> Program:
        """Weigh the rows for a process of this name; once, for all the sockets that it holds in one place."""
        where = observation.perspective, observation.system
        key = (process, observation.unit, observation.cgroup, observation.package, where)
        program = self._seen.get(key)
        if program is None:
            program = self._seen[key] = recognise(process, self, observation)
        return program

    def named_by_script(self, process: Process) -> str | None:
        """Return the product whose script an interpreter was told to run; none for what is itself a product."""
        script = None if self.own else script_of(process)
        return self._by_script[script][0].product if script in self._by_script else None

    def with_second_fact(self, process: Process, observation: Observation) -> tuple[tuple[Executable, ...], str | None]:
        """Return the shared rows of the one product that a second fact speaks for, and that fact."""
        if len(self.own) == len(self.rows):
            return (), None
        if is_windows_kernel(process, observation):
            return self.rows, f"it is process {WINDOWS_KERNEL}, the kernel itself"
        if is_system_unit(observation) and observation.unit is not None:
            found = self._by_unit.get(observation.unit) or self._by_unit.get(template_of(observation.unit))
            if found:
                return found, f"its unit is {observation.unit}"
        package = process.package or observation.package
        if package is not None and package in self._by_package:
            return self._by_package[package], f"it is of the package {package}"
        path = process.executable and folded(process.executable)
        if path in self._by_path:
            whose = "its package puts it" if observation.system in LINUX else "it belongs"
            return self._by_path[path], f"it lies where {whose}"
        return (), None


def _telling(
    rows: tuple[Executable, ...], fact: Callable[[Executable], str | None]
) -> dict[str | None, tuple[Executable, ...]]:
    """Group rows by a fact, and keep those groups where it tells one shared product from all others."""
    groups: dict[str | None, list[Executable]] = {}
    for row in rows:
        value = fact(row)
        if value:
            groups.setdefault(value, []).append(row)
    return {
        value: tuple(found)
        for value, found in groups.items()
        if all(row.product == found[0].product and row.distinct == "shared" for row in found)
    }


RELAYS = frozenset(
    """
    6tunnel dbclient docker-proxy haproxy inetd inetutils-inetd kubectl passt rinetd rootlesskit
    rootlesskit-docker-proxy rootlessport simpleproxy slirp4netns socat ssh sslh stunnel4 systemd-socket-proxyd xinetd
    """.split()  # noqa: SIM905  # a literal list would be twenty lines
)
"""Programs that hold a number for something else, which may well be what the number is for."""

FOR_CONTAINERS = frozenset(
    ("docker-proxy", "passt", "rootlesskit", "rootlesskit-docker-proxy", "rootlessport", "slirp4netns")
)
"""Those of them that stand before a container or a virtual machine, and never serve what their own product does."""

INTERPRETERS = frozenset(
    """
    bash beam.smp bun cscript dash deno dotnet erl guile java javaw ksh lua luajit mono mono-sgen node nodejs perl php
    php-cgi php-fpm powershell pwsh pypy python pythonw ruby sh tclsh wish wscript zsh
    """.split()  # noqa: SIM905  # as above
)
"""Programs that run a script or module, by their names without versions."""

UNITS = (".service", ".scope", ".socket", ".mount", ".swap")
"""What the control group of a unit ends with (systemd.unit(5))."""
SYSTEMD = frozenset({"/usr/lib/systemd/systemd", "/lib/systemd/systemd"})
"""The service manager holds sockets for others: it neither explains nor spoils what the service itself shows."""

LINUX = frozenset({None, "linux"})
"""The system where it is not told: what is about packages, units and /proc is of Linux."""

WINDOWS_KERNEL = 4
"""The process id of Windows' own kernel, always."""

PROTECTED_FOLDERS = frozenset(
    (
        "c:\\windows",
        "c:\\windows\\system32",
        "c:\\windows\\system32\\inetsrv",
        "c:\\windows\\system32\\openssh",
        "c:\\windows\\system32\\wbem",
        "c:\\windows\\system32\\windowspowershell\\v1.0",
        "c:\\windows\\syswow64",
    )
)
PROTECTED_TREES = ("c:\\program files\\", "c:\\program files (x86)\\")
"""Where nobody but administrators can write in Windows as it comes, directly and at any depth; other folders of Windows
are open to all users, such as its Temp (Microsoft, "Understanding AppLocker default rules"; docs/rules/PT308.md)."""

SHARED_FOLDERS = ("/Applications/", "/opt/homebrew/", "/usr/local/")
"""Where those who administer a Mac install programs without becoming root: the group admin may write to the first, and
the other two belong to whoever installed Homebrew (https://docs.brew.sh/Installation)."""

_STATUSES: dict[str | None, str] = {
    "in-memory": "the program runs from memory, not from a file",
    "unseen": "its file cannot be seen from here",
}
"""Why a program is not believed that has no file, or none that can be seen."""

NOBODY = Namesakes(())
"""A name that the catalogue does not have."""


class Program(Value):
    """What is known of the program behind a socket.

    `rows` are the catalogue's rows that are believed to apply, `second_fact` what made a shared name speak;
    `candidates` the rows of the same name that prove nothing, `products` whose they are; `disbelief` says why an own
    name is not believed; `says` is all that there is to say of it where nothing connects it with a number; `relays`
    tells whether it passes connections on, which is believed of what only root could have put there; `unseen` whether
    its file cannot be seen from here, or who can write it, so that no name is believed and none is held against it;
    `serves` whether it
    may be what its product serves: docker-proxy is of Docker Engine, and never dockerd's API.
    """

    path: str | None
    rows: tuple[Executable, ...]
    second_fact: str | None
    candidates: tuple[Executable, ...]
    products: tuple[str, ...]
    disbelief: str | None
    in_memory: bool
    says: Evidence
    relays: bool = False
    unseen: bool = False
    serves: bool = True


def programs(observation: Observation, catalogue: Mapping[str, Namesakes]) -> list[Program]:
    """Return the distinct programs that hold a socket."""
    found: list[Program] = []
    for process in observation.processes:
        if process.executable is not None:
            program = catalogue.get(process.executable, NOBODY).recognise(process, observation)
            if not found or all(_differ(program, other) for other in found):
                found.append(program)
    return found


def _differ(one: Program, other: Program) -> bool:
    """Tell whether two programs are to be weighed apart; two processes of one file, believed alike, are not."""
    return (one.path, one.disbelief, one.second_fact) != (other.path, other.disbelief, other.second_fact)


def recognise(process: Process, namesakes: Namesakes, observation: Observation) -> Program:
    """Weigh the catalogue's rows for a process's executable."""
    path = process.executable
    in_memory = process.executable_status == "in-memory"
    if process.executable_status == "unseen" and observation.perspective == "live":
        says = _evidence(_say_unseen(process, namesakes), observation, process)
        return Program(path, (), None, namesakes.rows, namesakes.products, None, in_memory, says, unseen=True)
    doubt = doubt_of(process, observation)
    if doubt is not None and namesakes.rows:
        says = _evidence(_say_doubt(process, namesakes, doubt), observation, process)
        return Program(path, (), None, namesakes.rows, namesakes.products, None, in_memory, says, unseen=True)
    disbelief = disbelief_of(process) if observation.perspective == "live" else None
    if disbelief is not None:
        # A package's name is a claim as well.
        differs = process.executable_intact is False or process.replaced_by == "foreign"
        claimed = disbelief if namesakes.own or differs else None
        says = _evidence(_say(process, (), namesakes, claimed), observation, process)
        return Program(path, (), None, namesakes.rows, namesakes.products, claimed, in_memory, says)
    # A program that is one product's own and also bundled by others speaks for the first alone, unless a second fact
    # speaks for another.
    second, fact = namesakes.with_second_fact(process, observation)
    believed = namesakes.own + second
    rest = tuple([row for row in namesakes.rows if row not in believed]) if believed else namesakes.rows
    says = _evidence(_say(process, believed, namesakes, None), observation, process)
    known = namesakes.products, None, in_memory, says, namesakes.relays, False, namesakes.serves
    return Program.of((path, believed, fact, rest, *known))


def _evidence(statement: str, observation: Observation, process: Process | None) -> Evidence:
    """Make a statement about a program, with where that was seen."""
    group = process is None and observation.perspective == "live"
    source = f"cgroup:{observation.cgroup}" if group else source_of(observation, process)
    return Evidence("process", statement, source, "decides")


def source_of(observation: Observation, process: Process | None = None) -> str:
    """Return where a process, or without one a socket, was seen."""
    if observation.perspective != "live":
        return observation.perspective
    if process is None and observation.processes_missing == "not recorded":
        return "scan"  # from a socket here its owner could be read
    if observation.system not in LINUX:
        return "psutil"
    return "sock_diag" if process is None else f"/proc/{process.pid}/exe"


def _say_unseen(process: Process, namesakes: Namesakes) -> str:
    """Say that no name is believed of a file that cannot be seen from here."""
    known = f" has a name that is known from {namesakes.products[0]}, but" if len(namesakes.products) == 1 else ":"
    return (
        f"{process.executable}{known} its file cannot be seen from here: it is in another mount or user namespace, "
        "or was unmounted, and whoever arranged that chose what it is called"
    )


def _say_doubt(process: Process, namesakes: Namesakes, doubt: str) -> str:
    """Say why a name is neither believed nor held against a program."""
    if len(namesakes.products) > 1 and not namesakes.own:
        return _say(process, (), namesakes, None)
    whose = namesakes.own[0].product if namesakes.own else namesakes.products[0]
    return f"{process.executable} has a name that is known from {whose}, but {doubt}: the name alone tells nothing"


def _say_disbelief(process: Process, namesakes: Namesakes, disbelief: str) -> str:
    """Say why a name is not believed, or what is wrong with the file that took the program's place."""
    if process.replaced_by == "foreign":
        runs = ", though what runs is" if process.executable_intact else ""
        return f"{process.executable} has been replaced since it was started: {disbelief}{runs}"
    whose = namesakes.own[0].product if namesakes.own else f"the package {process.package}"
    return f"{process.executable} has the name of a program of {whose}, but is not believed: {disbelief}"


def _say(process: Process, believed: tuple[Executable, ...], namesakes: Namesakes, disbelief: str | None) -> str:
    """Say what the program is, or why it names nothing."""
    path, products = process.executable, namesakes.products
    if process.executable_status == "in-memory":
        return f"{path} runs from memory: there is no file to look at"
    if disbelief is not None:
        return _say_disbelief(process, namesakes, disbelief)
    if believed:
        return f"{path} is a program of {believed[0].product}, which is not cited for this number"
    if not products:
        return f"{path} is not in the catalogue of known programs"
    if len(products) == 1:
        places = [row.path for row in namesakes.rows if row.path is not None and folded(row.path) != folded(path or "")]
        lies = f", which lies at {places[0]}" if places else ""
        return f"{path} has a name that is known from {products[0]}{lies}: the name alone tells nothing"
    shown = f"{', '.join(products[:3])} ..." if len(products) > 3 else ", ".join(products)  # noqa: PLR2004  # a taste
    named = namesakes.named_by_script(process)
    told = f"; its command line names {named}, which anybody can write there" if named else ""
    return (
        f"{path} is what {len(products)} known products run on ({shown}): "
        f"its name does not tell which of them this is, if any{told}"
    )


def unit_program(observation: Observation, catalogue: Mapping[str, Namesakes]) -> Program | None:
    """Return the program that a system unit names, for a socket whose owner may not be read."""
    if observation.unit is None or not is_system_unit(observation):
        return None
    namesakes = catalogue.get(observation.unit)
    if namesakes is None or not namesakes.own:
        return None
    fact = f"its unit is {observation.unit}"
    statement = f"it is a program of {namesakes.own[0].product} ({fact})"
    says = _evidence(statement, observation, None)
    relays = any(row.name in RELAYS for row in namesakes.own)
    serves = not any(row.name in FOR_CONTAINERS for row in namesakes.own)  # docker.service has dockerd and docker-proxy
    program = Program(
        None, namesakes.own, fact, (), namesakes.products, None, in_memory=False, says=says, relays=relays
    )
    return replace(program, serves=serves)


def activated_program(observation: Observation, catalogue: Mapping[str, Namesakes]) -> Program | None:
    """Return the program that the system's service manager starts for a socket which it holds alone.

    The unit's files are root's; those of a user's own manager may name anything.
    """
    service = observation.activates
    if service is None or not is_system_socket(observation):
        return None
    namesakes = catalogue.get(service)
    if namesakes is None or not namesakes.own:
        return None
    fact = f"systemd starts {service} for it"
    says = Evidence("process", f"it is for a program of {namesakes.own[0].product} ({fact})", service, "decides")
    relays = any(row.name in RELAYS for row in namesakes.own)
    return Program(None, namesakes.own, fact, (), namesakes.products, None, in_memory=False, says=says, relays=relays)


def is_system_socket(observation: Observation) -> bool:
    """Tell whether the system's service manager, and no user's, made a socket that it holds."""
    if not observation.processes:
        return is_system_unit(observation) and (observation.unit or "").endswith(".socket")
    return any(
        process.pid == 1 and process.executable in SYSTEMD and disbelief_of(process) is None
        for process in observation.processes
    )


def disbelief_of(process: Process) -> str | None:
    """Say why a live process's executable is not believed to be what its name says."""
    status = process.executable_status
    if status in _STATUSES:
        return _STATUSES[status]
    if process.replaced_by == "foreign":
        return f"what lies there now is not what the package {process.package} shipped"
    if status == "deleted" and not (process.restart_needed or process.executable_intact):
        return "the file it was started from has been deleted"
    if process.executable_writable is not None:
        return f"{process.executable_writable} can be written by others than root"
    return f"it is not what the package {process.package} shipped" if process.executable_intact is False else None


def doubt_of(process: Process, observation: Observation) -> str | None:
    """Say why a live process's name is neither believed nor disbelieved: who can write its file tells nothing here."""
    path, writable = process.executable, process.executable_writable
    if observation.perspective != "live" or path is None or process.executable_status in {"deleted", "in-memory"}:
        return None
    if observation.system == "windows" and not is_windows_kernel(process, observation) and not is_protected(path):
        return "who can write it is not known on Windows"
    if observation.system == "macos" and writable is not None and f"{writable}/".startswith(SHARED_FOLDERS):
        return f"{writable} can be written by an administrator of this Mac who is not root"
    return None


def is_protected(path: str) -> bool:
    r"""Tell whether Windows as it comes lets nobody but administrators write in the folder of a file.

    >>> is_protected("C:\\Windows\\System32\\svchost.exe"), is_protected("C:\\Windows\\Temp\\svchost.exe")
    (True, False)
    """
    path = folded(path)
    return path.rpartition("\\")[0] in PROTECTED_FOLDERS or (path.startswith(PROTECTED_TREES) and "\\..\\" not in path)


def is_windows_kernel(process: Process, observation: Observation) -> bool:
    """Tell whether a process is the kernel of Windows, which has no file: http.sys, the SMB server and NetBIOS."""
    return observation.system == "windows" and process.pid == WINDOWS_KERNEL and process.executable == "System"


def folded(path: str) -> str:
    """Return a path as it compares: those of Windows in lower case, since it does not tell cases apart."""
    return path.lower() if is_of_windows(path) else path


def bare_name(name: str) -> str:
    """Return the name that a program has on all systems: without Windows' `.exe`, and then in lower case.

    >>> bare_name("Nginx.EXE"), bare_name("nginx"), bare_name("Google Chrome")
    ('nginx', 'nginx', 'Google Chrome')
    """
    return name[:-4].lower() if name[-4:].lower() == ".exe" else name


def is_system_unit(observation: Observation) -> bool:
    """Tell whether root made the unit: a user's own manager runs units of any name, below user.slice."""
    group = observation.cgroup or ""
    return group.startswith("/system.slice/") and is_outermost(group)


def is_outermost(group: str) -> bool:
    """Tell whether the unit of a control group stands below slices alone, and so was named by the manager of all.

    A container's manager names units as it likes, and so does whoever was given a group for groups of his own
    (Delegate= in systemd.resource-control(5)).

    >>> is_outermost("/system.slice/web.service"), is_outermost("/system.slice/run.service/web.service")
    (True, False)
    """
    parts = [part for part in group.split("/") if not part.endswith(".slice")]
    return not any(part.endswith(UNITS) for part in parts[2:])


def is_interpreter(name: str) -> bool:
    """Tell whether a program runs what it is told to, by its name.

    >>> is_interpreter("python3.11"), is_interpreter("php-fpm8.2"), is_interpreter("node.exe"), is_interpreter("sshd")
    (True, True, True, False)
    """
    name = bare_name(name)
    return name in INTERPRETERS or name.rstrip("0123456789.-") in INTERPRETERS


def template_of(unit: str) -> str:
    """Return the template of an instance.

    >>> template_of("postgresql@15-main.service")
    'postgresql@.service'
    """
    name, at, instance = unit.partition("@")
    return f"{name}@.{instance.rpartition('.')[2]}" if at else unit


def script_of(process: Process) -> str | None:
    """Return the slug of the script or module that an interpreter was told to run.

    >>> from portulan.model import Process
    >>> script_of(Process(1, "python3", "/usr/bin/python3.11", ("python3", "/usr/bin/uvicorn", "app"), None, None))
    'uvicorn'
    """
    words = iter((process.command_line or ())[1:])
    for word in words:
        if word.startswith("-"):
            if word in {"-m", "-jar"}:
                return _name_of_script(next(words, ""))
            if word in {"-c", "-e", "--eval"}:
                return None
            continue
        return _name_of_script(word)
    return None


def _name_of_script(path: str) -> str | None:
    name = base_name(path)
    for suffix in (".py", ".pyc", ".js", ".mjs", ".jar", ".rb", ".pl"):
        name = name.removesuffix(suffix)
    return slug(name) or None


def slug(name: str) -> str:
    """Return the letters and digits of a name, lower case, to compare spellings."""
    return "".join(filter(str.isalnum, name.lower()))
