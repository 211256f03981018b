"""Ports that are taken with no socket: by rules of nftables and iptables, by IPVS; and what is behind docker-proxy.

Who connects to such a number reaches something else than what listens on it, or something where nothing listens. The
kernel keeps these rules; their own programs print them, and are started only where the kernel says that there is
something to print: a chain of the kind `nat` (nfnetlink), a table `nat` in /proc/net/ip_tables_names. That is not for
speed alone: iptables-save makes the table that it is asked for, and a question must change nothing. What a BPF program
or tc does is not seen.
"""

from __future__ import annotations

import _socket
import _struct
import errno
import os
import time

from portulan.model import Endpoint, Incomplete, Observation, PortRange, Redirect
from portulan.observe import files
from portulan.observe.process import utc
from portulan.observe.programs import Refused, find, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from portulan.model import Process
    from portulan.observe.rulesets import Taken

_MOST_IPVS = 8 << 20
_MOST_MODULES = 1 << 20
_MOST_NAMES = 1 << 12
_PART = 65_536

# include/uapi/linux/netfilter/nfnetlink.h, nf_tables.h; include/uapi/linux/netlink.h
_NETLINK_NETFILTER = 12
_GET_CHAINS = 10 << 8 | 4  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN
_REQUEST_DUMP = 0x301
_CHAIN_TABLE, _CHAIN_TYPE = 1, 7  # NFTA_CHAIN_TABLE, NFTA_CHAIN_TYPE
_ATTRIBUTE = 0x3FFF  # without the flags of its type
_ERROR, _DONE = 2, 3
_HEADER = _struct.Struct("=IHHII")
_BEHIND_HEADER = 20  # the netlink header and that of nfnetlink, which begins with the family

_IPTABLES = {(2, "nat"): "ip", (10, "nat"): "ip6"}
"""The tables that iptables makes in nftables, by family (NFPROTO_IPV4, NFPROTO_IPV6) and name: nft's families."""

_NOT_ITS_OWN = b", use 'nft' tool"
"""What iptables-nft-save prints of a table of that name with chains that nft made (xtables-save.c in iptables)."""

_RULES = "ports that rules of the firewall pass on"


class Rules:
    """The rules of this network namespace that take ports: asked once, when the first question needs them."""

    __slots__ = ("_incomplete", "_taken")

    def __init__(self) -> None:
        self._taken: list[Taken] | None = None
        self._incomplete: list[Incomplete] = []

    def on(self, port: int | None, incomplete: list[Incomplete]) -> list[Taken]:
        """Return what takes a port, or any; what was refused is appended to `incomplete`."""
        if self._taken is None:
            self._taken = read_rules(self._incomplete)
        incomplete += self._incomplete
        return [
            taken
            for taken in self._taken
            if port is None or taken.redirect.ports.first <= port <= taken.redirect.ports.last
        ]


def read_rules(incomplete: list[Incomplete]) -> list[Taken]:
    """Ask whoever has rules; those for addresses that are not this machine's are left out."""
    found: list[Taken] = []
    for source in (_of_nftables, _of_iptables, _of_ipvs):
        try:
            found += source(incomplete)
        except Refused as refused:
            if refused.incomplete not in incomplete:
                incomplete.append(refused.incomplete)
    if any(taken.address is not None for taken in found):
        from portulan.observe.addresses import of_this_machine  # noqa: PLC0415  # few rules name one

        found = of_this_machine(found)
    found.sort(key=_place)
    return found


def _place(taken: Taken) -> tuple[int, str]:
    return taken.redirect.ports.first, taken.transport


# ------------------------------------------------------------------------------------------- nftables and iptables


def _of_nftables(incomplete: list[Incomplete]) -> list[Taken]:
    if not may_be_loaded("nf_tables") or not has_nat_chain():
        return []
    from portulan.observe import iptables, nftables  # noqa: PLC0415  # there is something to parse

    answer = run("nft", "-j", "list", "ruleset")  # never a name from the ruleset: nft would parse it as a command
    found: list[Taken] = []
    if answer is None:
        tables = set(read_nat_tables())
        foreign: Sequence[str] = [_IPTABLES[table] for table in sorted(tables & _IPTABLES.keys())]
        if tables - _IPTABLES.keys() or not foreign:
            _note_missing(incomplete, "nft", "nftables")
    else:
        try:
            ruleset = nftables.parse_ruleset(answer)
        except ValueError:
            hint = "look by hand: nft list ruleset"
            what = "ports that nft knows of"
            raise Refused(what, "its answer cannot be read", hint) from None
        found += ruleset.taken
        foreign = ruleset.foreign
        _note_all(incomplete, complete=ruleset.complete)
    for family in foreign:
        program = "iptables" if family == "ip" else "ip6tables"
        saved = _save(program, "nft")
        if saved is not None:
            taken, complete = iptables.parse_save(saved, "ipv4" if family == "ip" else "ipv6")
            found += taken
            _note_all(incomplete, complete=complete)
        if answer is None and (saved is None or _NOT_ITS_OWN in saved):
            _note_missing(incomplete, "nft", "nftables")
        elif saved is None:
            _note_missing(incomplete, f"{program}-nft-save", "iptables")
    return found


def _of_iptables(incomplete: list[Incomplete]) -> list[Taken]:
    found: list[Taken] = []
    for program, names, family in (
        ("iptables", "/proc/net/ip_tables_names", "ipv4"),
        ("ip6tables", "/proc/net/ip6_tables_names", "ipv6"),
    ):
        try:
            tables = files.read(names, _MOST_NAMES) or b""
        except PermissionError:
            if may_be_loaded("nf_nat"):
                raise _not_permitted() from None
            continue
        if b"nat" in tables.split():
            from portulan.observe import iptables  # noqa: PLC0415  # as above

            answer = _save(program, "legacy")
            if answer is None:
                _note_missing(incomplete, f"{program}-legacy-save", "iptables")
            else:
                taken, complete = iptables.parse_save(answer, family)
                found += taken
                _note_all(incomplete, complete=complete)
    return found


def _note_all(incomplete: list[Incomplete], *, complete: bool) -> None:
    """Note that there is more than is followed."""
    if not complete:
        hint = "nft list ruleset, iptables-save -t nat"
        incomplete.append(Incomplete("ports that rules pass on", "there are too many rules to follow", hint))


def _note_missing(incomplete: list[Incomplete], program: str, package: str) -> None:
    """Note that there are rules, and nobody to print them."""
    note = Incomplete(_RULES, f"{program} is not installed", f"install {package}")
    if note not in incomplete:
        incomplete.append(note)


def _save(program: str, variant: str) -> bytes | None:
    """Print the table nat by the variant of iptables-save that is for it; None where that is not installed."""
    named = f"{program}-{variant}-save"
    if find(named) is None:
        named = f"{program}-save"
        path = find(named)
        is_nft = path is not None and "nft" in os.path.realpath(path).rpartition("/")[2]
        if path is None or is_nft != (variant == "nft"):
            return None
    return run(named, "-t", "nat")


def may_be_loaded(module: str) -> bool:
    """Tell whether a module may be part of the running kernel: loaded, built in, or nobody can tell."""
    try:
        loaded = files.read("/proc/modules", _MOST_MODULES)
        built_in = files.read(f"/lib/modules/{os.uname().release}/modules.builtin", _MOST_MODULES)
    except PermissionError:
        return True
    if not loaded or not built_in:  # a kernel without modules, or a container without the host's files
        return True
    name = module.encode("ascii")
    return any(line.startswith(name + b" ") for line in loaded.splitlines()) or b"/" + name + b".ko" in built_in


def has_nat_chain() -> bool:
    """Tell whether nftables has a chain of the kind `nat` in this network namespace."""
    return any(True for _ in read_nat_tables())


def read_nat_tables() -> Iterator[tuple[int, str]]:
    """Ask the kernel which tables of nftables have chains of the kind `nat` here: their families and names."""
    more = True
    error = 0
    try:
        kernel = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, _NETLINK_NETFILTER)
        try:
            kernel.send(_HEADER.pack(_BEHIND_HEADER, _GET_CHAINS, _REQUEST_DUMP, 1, 0) + bytes(4))
            while more:
                tables, more, error = parse_chains(kernel.recv(_PART))
                yield from tables
        finally:
            kernel.close()
    except PermissionError:
        error = errno.EPERM
    except OSError:  # a kernel without nftables
        return
    if error in {errno.EPERM, errno.EACCES} and may_be_loaded("nf_nat"):
        raise _not_permitted()


def parse_chains(content: bytes) -> tuple[list[tuple[int, str]], bool, int]:
    """Return the tables with chains of the kind `nat` in a part of a dump, whether more is to come, and an error."""
    tables: list[tuple[int, str]] = []
    place = 0
    while place + _HEADER.size <= len(content):
        length, kind, *_rest = _HEADER.unpack_from(content, place)
        if kind == _DONE or length < _HEADER.size:
            return tables, False, 0
        if kind == _ERROR:
            (error,) = _struct.unpack_from("=i", content, place + _HEADER.size)
            return tables, False, -error
        at, end = place + _BEHIND_HEADER, min(place + length, len(content))
        said: dict[int, bytes] = {}
        while at + 4 <= end:
            size, attribute = _struct.unpack_from("=HH", content, at)
            said[attribute & _ATTRIBUTE] = content[at + 4 : at + size].rstrip(b"\0")
            if size < 4:  # noqa: PLR2004  # its own header
                break
            at += size + 3 & ~3
        if said.get(_CHAIN_TYPE) == b"nat":
            family = content[place + _HEADER.size]
            tables.append((family, said.get(_CHAIN_TABLE, b"").decode("utf-8", "replace")))
        place += length + 3 & ~3
    return tables, True, 0


def _not_permitted() -> Refused:
    hint = "run as root" if os.geteuid() else "look with CAP_NET_ADMIN"
    return Refused(_RULES, "not permitted", hint)


# ------------------------------------------------------------------------------------------------------------- IPVS


def _of_ipvs(incomplete: list[Incomplete]) -> list[Taken]:
    try:
        content = files.read("/proc/net/ip_vs", _MOST_IPVS)
    except PermissionError:
        raise _not_permitted() from None
    if not content:
        return []
    found = parse_ipvs(content)
    from portulan.observe.rulesets import MOST_FOUND  # noqa: PLC0415  # there are rules

    _note_all(incomplete, complete=len(found) <= MOST_FOUND)
    return found[:MOST_FOUND]


def parse_ipvs(content: bytes) -> list[Taken]:
    """Return what the virtual services of /proc/net/ip_vs take (ip_vs_info_seq_show in the kernel's ip_vs_ctl.c)."""
    from portulan.observe.rulesets import EVERY_PORT, TRANSPORT_OF, Taken  # noqa: PLC0415  # as above

    found: list[Taken] = []
    service: tuple[str, str, int, str] | None = None
    for line in content.decode("ascii", "replace").splitlines():
        words = line.split()
        if len(words) > 2 and words[0] == "->" and service is not None:  # noqa: PLR2004  # address and way
            target = _parse_hexadecimal(words[1])
            if target is not None:
                name, address, port, scheduler = service
                text = f"{name.upper()} {address}:{port} {scheduler} -> {target[0]}:{target[1]} {words[2]}"
                ports = PortRange(port, port) if port else PortRange(*EVERY_PORT[0])
                redirect = Redirect(target[0], target[1] or None, "ipvs", text, ports)
                family = "ipv6" if ":" in address else "ipv4"
                found.append(Taken(TRANSPORT_OF[name], address, family, redirect))
        elif words and words[0] != "->":
            place = _parse_hexadecimal(words[1]) if len(words) > 2 else None  # noqa: PLR2004  # and a scheduler
            name = words[0].lower()
            service = (name, *place, words[2]) if place is not None and name in TRANSPORT_OF else None
    return found


def _parse_hexadecimal(text: str) -> tuple[str, int] | None:
    """Parse 0A600001:01BB or [fd00:0000:...]:01BB."""
    host, _, port = text.rpartition(":")
    try:
        if host.startswith("["):
            return _socket.inet_ntop(_socket.AF_INET6, _socket.inet_pton(_socket.AF_INET6, host[1:-1])), int(port, 16)
        return _socket.inet_ntop(_socket.AF_INET, bytes.fromhex(host)), int(port, 16)
    except (OSError, ValueError):
        return None


# ----------------------------------------------------------------------------------------------------- docker-proxy


def behind_proxy(process: Process, port: int) -> Redirect | None:
    """Return where a docker-proxy passes connections to a port on to, by the arguments that dockerd gave it.

    Its file counts, not its name: it must be called so and nobody but root may write it.
    """
    path = process.executable or ""
    believed = process.executable_status == "present" and process.executable_writable is None
    if path.rpartition("/")[2] != "docker-proxy" or not believed:
        return None
    return parse_proxy(process.command_line or (), port)


def parse_proxy(words: Sequence[str], held: int) -> Redirect | None:
    """Parse docker-proxy's arguments (cmd/docker-proxy in moby): Go's flags; and the one port that it `held`."""
    said: dict[str, str] = {}
    place = 1
    while place < len(words):
        flag, equals, value = words[place].lstrip("-").partition("=")
        place += 1
        if not equals and place < len(words) and not words[place].startswith("-"):
            value = words[place]
            place += 1
        said[flag] = value
    address, port = said.get("container-ip"), said.get("container-port", "")
    if not address or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536):  # noqa: PLR2004  # a port
        return None
    shown = ("proto", "host-ip", "host-port", "container-ip", "container-port")
    text = " ".join(["docker-proxy", *[f"-{flag} {said[flag]}" for flag in shown if flag in said]])
    return Redirect(address[:64], int(port), "docker-proxy", text[:400], PortRange(held, held))


# ----------------------------------------------------------------------------------------------------- observations


def merge(
    seen: Iterable[Observation], port: int | None, rules: Rules, incomplete: list[Incomplete]
) -> Iterator[Observation]:
    """Put ports that rules take among the sockets, in their order: behind those that hold the same number.

    A socket of docker-proxy carries what it passes on; a rule that does the same beside it is not told twice.
    """
    waiting = rules.on(port, incomplete)
    waiting.reverse()
    told: set[tuple[int, str, str | None, int | None]] = set()
    for observation in seen:
        place = (observation.local.port, observation.transport)
        # The rules are those of this network namespace, which comes first.
        listening = observation.direction == "listen" and observation.network_namespace_name is None
        while waiting and (not listening or _at(waiting[-1], port) < place):
            yield from _observe(waiting.pop(), port, told)
        if listening:
            for process in observation.processes:
                if process.name == "docker-proxy":
                    redirect = behind_proxy(process, place[0])
                    if redirect is not None:
                        told.add((*place, redirect.address, redirect.port))
                        observation = _with(observation, redirect)  # noqa: PLW2901  # the same socket, better known
                        break
        yield observation
    while waiting:
        yield from _observe(waiting.pop(), port, told)


def _at(taken: Taken, port: int | None) -> tuple[int, str]:
    return (taken.redirect.ports.first if port is None else port), taken.transport


def _with(observation: Observation, redirect: Redirect) -> Observation:
    from portulan.model import replace  # noqa: PLC0415  # few sockets are a proxy's

    return replace(observation, redirect=redirect)


def _observe(
    taken: Taken, port: int | None, told: set[tuple[int, str, str | None, int | None]]
) -> Iterator[Observation]:
    """Make the observation of a port that a rule takes, unless a proxy's socket told it."""
    number, transport = _at(taken, port)
    redirect = taken.redirect
    if (number, transport, redirect.address, redirect.port) in told:
        return
    wildcard = "0.0.0.0" if taken.family == "ipv4" else "::"
    yield Observation(
        observed_at=utc(int(time.time())),
        host=os.uname().nodename,
        perspective="live",
        direction="listen",
        transport=taken.transport,
        local=Endpoint(taken.address or wildcard, number),
        peer=None,
        socket_state="redirected",
        processes=(),
        processes_missing="no process holds it",
        unit=None,
        container=None,
        package=None,
        network_namespace=_namespace(),
        network_type=taken.family,  # None for both
        ipv6_only=None if taken.family == "ipv4" else taken.family is not None,
        redirect=redirect,
        system="linux",
    )


def _namespace() -> int | None:
    try:
        return os.stat("/proc/self/ns/net").st_ino  # noqa: PTH116  # pathlib is too slow to start for this path
    except OSError:
        return None
