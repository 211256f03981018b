"""What is worth knowing of a socket beside what decides: where its program lies, and who can reach what it serves.

Each note is a sign that somebody outside of this project names, and each has its innocent cases. Those that can be told
are left out here; the page of the note (docs/rules/) tells of the others.
"""

from __future__ import annotations

from portulan.judge.evidence import note, width_of
from portulan.judge.local import BY_PRODUCT, BY_PROTOCOL
from portulan.judge.program import SYSTEMD, bare_name, is_system_unit
from portulan.model import base_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from portulan.judge.program import Program
    from portulan.model import Identification, Note, Observation, Process

SSH = 22
"""The number that SSH has from IANA (RFC 4253, section 4.1)."""

TEMPORARY = ("/tmp/", "/var/tmp/", "/private/tmp/", "/private/var/tmp/")  # noqa: S108  # to be distrusted
SHARED_MEMORY = ("/dev/shm/", "/run/shm/")  # noqa: S108  # likewise
NOT_HIDING = ("/tmp/go-build", "/tmp/.mount_", "/tmp/.criu.mntns", "/tmp/snap.rootfs", "/tmp/selenium")  # noqa: S108
"""Where `go run`, AppImage and others put programs for a while: the exceptions of Elastic's rule on such folders."""

HOMES = ("/home/", "/Users/")
NOT_HIDDEN = frozenset(
    """
    .asdf .bun .cargo .conda .cursor-server .deno .dotnet .ghcup .jdks .julia .juliaup .linuxbrew .local .nix-profile
    .npm .nvm .opam .pyenv .rbenv .rustup .sdkman .steam .var .volta .vscode .vscode-server
    """.split()  # noqa: SIM905  # a literal list would be ten lines
)
"""Folders of a home where programs belong: `.local` (file-hierarchy(7)), and those of installers that need no root."""

PID_FILES = (".pid", ".lock", ".reboot")
RUN = ("/run/", "/var/run/")

NETCATS = frozenset(
    "cryptcat nc nc.openbsd nc.traditional ncat netcat netcat.openbsd netcat.traditional".split()  # noqa: SIM905  # as above
)
APPLETS = frozenset(("busybox", "toybox"))
"""Programs that are many: which one their process is called by its command line, or its name."""

PASS_ON = SYSTEMD | {"/usr/sbin/inetd", "/usr/sbin/inetutils-inetd", "/usr/sbin/xinetd"}
"""What opens sockets for other programs and keeps them too (sd_listen_fds(3), inetd(8))."""

DOCKER = "Docker"
STORES = frozenset(("Elasticsearch", "OpenSearch", "Solr", "memcached", "redis"))
"""What keeps the data of others and whose answer tells whether it wants a login: by protocol, or product of HTTP."""

SSH_SERVERS = frozenset(("Dropbear SSH server", "OpenSSH server"))
SSH_CLIENTS = frozenset(("Dropbear SSH client", "OpenSSH client"))

NODE = "https://nodejs.org/en/learn/getting-started/debugging#security-implications"
GDB = "https://sourceware.org/gdb/current/onlinedocs/gdb.html/Server.html"
DEBUGGERS = {
    # protocol, or product: where its maker says what that means
    "jdwp": "https://docs.oracle.com/en/java/javase/21/docs/specs/jpda/conninv.html",
    "dap": "https://github.com/microsoft/debugpy",
    "gdb-remote": GDB,
    "Node.js inspector": NODE,
    "Chrome DevTools": "https://developer.chrome.com/blog/remote-debugging-port",
    "gdbserver": GDB,
    "Delve debugger": "https://github.com/go-delve/delve/blob/master/Documentation/usage/dlv.md",
}

SERVICES = "https://github.com/ComplianceAsCode/content/tree/master/linux_os/guide/services/"
CLEARTEXT = {
    # protocol, or product: what sends names and passwords as they are, and the rule that wants it removed
    "telnet": ("telnet", f"{SERVICES}obsolete/telnet/package_telnet-server_removed"),
    "telnet server (GNU Inetutils)": ("telnet", f"{SERVICES}obsolete/telnet/package_telnet-server_removed"),
    "rlogin server": ("rlogin", f"{SERVICES}obsolete/r_services/package_rsh-server_removed"),
    "rsh server": ("rsh", f"{SERVICES}obsolete/r_services/package_rsh-server_removed"),
    "ftp": ("FTP, unless the client asks for TLS,", f"{SERVICES}ftp/disabling_vsftpd/package_vsftpd_removed"),
}


def notes_on_exposure(
    observation: Observation, number: int, found: Sequence[Program], company: frozenset[str]
) -> Iterator[Note]:
    """Yield what there is to note of where programs lie, how they are reached, and with whom they share the port.

    `number` is the port that the socket is judged by, `found` the programs that hold it, `company` those of all sockets
    on its port at addresses that overlap with its own.
    """
    for process in observation.processes:
        yield from _on_file(process)
        if observation.direction != "connect" and is_netcat(process, observation):
            name = process.executable or process.name
            yield note("PT311", f"{name} gives what is sent there to a terminal, a file or any program")
    products = frozenset([row.product for program in found if program.serves for row in program.rows])
    if number != SSH and _is_ssh(observation, products):
        told = "dials" if observation.direction == "connect" else "serves"
        yield note("PT319", f"it {told} SSH on another port than {SSH}")
    width = width_of(observation)
    if width is None:
        return
    if len(found) > 1 or company:
        yield from _on_company(observation, found, company)
    answer = observation.identification
    if answer is not None:
        yield from _on_docker(answer)
    if not products and answer is None:
        return
    if width == "every":
        yield from _on_every_address(observation, products)
    if width != "inside":
        yield from _on_debugger(products, answer)
        yield from _on_cleartext(products, answer)
        yield from _on_store(answer, asked_here=width == "every" and observation.perspective == "live")


# ------------------------------------------------------------------------------------------------------ the program


def _on_file(process: Process) -> Iterator[Note]:
    """Yield what is to be noted of where a program lies."""
    path = process.executable
    if path is None:
        return
    if process.executable_status == "in-memory":
        yield note("PT309", f"{path} was started from memory: no file has it")
        return
    where = hideout_of(path)
    if where is not None:
        yield note("PT310", f"{path} lies in {where}")
    if path.startswith(RUN) and path.endswith(PID_FILES):
        yield note("PT318", f"{path} is called like a file that holds the number of a process")


def hideout_of(path: str) -> str | None:
    """Say what kind of place a program lies in, where programs do not belong.

    >>> hideout_of("/tmp/x"), hideout_of("/home/eve/.cache/x"), hideout_of("/home/eve/.local/bin/x")
    ('a temporary folder', 'a hidden folder of a home', None)
    """
    if path.startswith(SHARED_MEMORY):
        return "shared memory, which everybody can write"
    if path.startswith(TEMPORARY):
        return None if path.startswith(NOT_HIDING) else "a temporary folder"
    home = path[1:] if path.startswith("/root/") else path.split("/", 2)[2] if path.startswith(HOMES) else ""
    folder, below, _ = home.partition("/")[2].partition("/")
    hidden = below and folder.startswith(".") and folder not in NOT_HIDDEN
    return "a hidden folder of a home" if hidden else None


def is_netcat(process: Process, observation: Observation) -> bool:
    """Tell whether a program passes on whatever comes: netcat in its forms; socat unless root made it a service.

    That a BusyBox is called so tells no more than what whoever started it typed: which is enough to look.
    """
    name = bare_name(base_name(process.executable or process.name or ""))
    if name in APPLETS:
        words = [base_name(word) for word in (process.command_line or ())[:2]]
        return not NETCATS.isdisjoint((process.name, *(words if words[:1] == [name] else words[:1])))
    return name in NETCATS or (name == "socat" and not is_system_unit(observation))


def _on_company(observation: Observation, found: Sequence[Program], company: frozenset[str]) -> Iterator[Note]:
    """Yield that programs hold one port which have nothing to do with one another.

    Those are no case that are of one product or package, such as a mail server's, nor what opens sockets for others.
    """
    packages = {process.executable: process.package for process in observation.processes}
    there = [program for program in found if program.path is not None and program.path not in PASS_ON]
    strangers = [one for one in there if not any(_is_kin(one, other, packages) for other in there if other is not one)]
    if len(there) > 1 and strangers:
        names = sorted({program.path for program in there if program.path is not None})
        yield note("PT317", f"different programs hold it: {_listed(names)}")
    others = sorted(company.difference(packages, PASS_ON))
    if packages and others:
        yield note("PT317", f"another socket has the same port: of {_listed(others)}")


def _is_kin(one: Program, other: Program, packages: dict[str | None, str | None]) -> bool:
    if one.path == other.path or {row.product for row in one.rows}.intersection([row.product for row in other.rows]):
        return True
    return packages.get(one.path) is not None and packages.get(one.path) == packages.get(other.path)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])} ..." if len(names) > 3 else " and ".join(names)  # noqa: PLR2004  # a taste


# ------------------------------------------------------------------------------------------------------- the service


def _on_every_address(observation: Observation, products: frozenset[str]) -> Iterator[Note]:
    """Yield that it holds every address although it comes with loopback alone.

    What a believed program is counts before what it speaks: PgBouncer is not PostgreSQL. By UDP a program may hold any
    number to ask others from, so there the number counts too.
    """
    answer, transport, number = observation.identification, observation.transport, observation.local.port
    known = {BY_PRODUCT.get(product) for product in products}
    if answer is not None:
        known |= {BY_PRODUCT.get(answer.product or "")}
        known |= set() if products else {BY_PROTOCOL.get(answer.protocol or "")}
    for local in sorted([local for local in known if local is not None], key=lambda local: local.what):
        if local.port == number or (local.port is None and transport == "tcp"):
            yield note("PT312", f"it holds every address: {local.what}", local.source)


def _on_docker(answer: Identification) -> Iterator[Note]:
    """Yield that whoever can reach it is root here: on loopback, too."""
    if answer.product == DOCKER and answer.authentication == "none":
        how = "in the clear" if "tls" not in answer.layers else "without a certificate of the client's"
        yield note("PT314", f"Docker's API answers {how}: whoever can reach it is root on this machine")


def _on_debugger(products: frozenset[str], answer: Identification | None) -> Iterator[Note]:
    """Yield that others can reach a debugger."""
    told = products if answer is None else {answer.protocol, answer.product, *products}
    for name in sorted(DEBUGGERS.keys() & told):
        yield note("PT313", f"others can reach a debugger ({name}): it runs what it is told", DEBUGGERS[name])


def _on_cleartext(products: frozenset[str], answer: Identification | None) -> Iterator[Note]:
    """Yield that names and passwords go over a network in the clear.

    Where something answered, that counts before what the program is.
    """
    told = products if answer is None or answer.protocol is None else frozenset((answer.protocol,))
    if answer is None or "tls" not in answer.layers:
        for what, source in sorted({CLEARTEXT[name] for name in CLEARTEXT.keys() & told}):
            yield note("PT316", f"{what} sends names and passwords in the clear", source)


def _on_store(answer: Identification | None, *, asked_here: bool) -> Iterator[Note]:
    """Yield that what keeps the data of others asks nobody who he is.

    Redis in protected mode answers on loopback what it refuses others; if it holds every address, it was asked there.
    """
    if answer is None or answer.authentication != "none":
        return
    if answer.protocol in STORES or answer.product in STORES:
        but = (
            " to this machine; in protected mode it refuses others" if asked_here and answer.protocol == "redis" else ""
        )
        yield note("PT315", f"{answer.product or answer.protocol} answers without authentication{but}")


def _is_ssh(observation: Observation, products: frozenset[str]) -> bool:
    """Tell whether it is SSH that is spoken there, and not what somebody has forwarded through it.

    What OpenSSH holds for a client that forwards a port is in the client's session, or on loopback.
    """
    if observation.direction == "connect":
        return not SSH_CLIENTS.isdisjoint(products)
    if observation.direction != "listen":
        return False
    answer = observation.identification
    if answer is not None and answer.protocol is not None:
        return answer.protocol == "ssh"
    forwarded = width_of(observation) == "inside" or (observation.unit or "").endswith(".scope")
    return not forwarded and not SSH_SERVERS.isdisjoint(products)
