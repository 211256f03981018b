# ruff: noqa: PTH115  # as in the rest of this room: no pathlib
"""Socket activation: the unit for which systemd holds a socket, and the service that it starts.

systemd tells over D-Bus what it made of its files; the files themselves tell as well, and nobody has to be asked. Where
the control group of a socket names the .socket unit, that unit's file tells the service; else the unit is the one that
listens there. The rules are those of systemd.socket(5), and of systemd.unit(5) for the load path, drop-in files,
templates and specifiers. A file tells what the next start would be: one that was edited since systemd read it misleads.
"""

from __future__ import annotations

import _socket
import os

from portulan.model import Value
from portulan.observe import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from portulan.model import Observation, Process, Transport

SYSTEMD = frozenset({"/usr/lib/systemd/systemd", "/lib/systemd/systemd"})

_SYSTEM = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
_USER = (
    "{home}/.config/systemd/user.control",
    "{runtime}/systemd/user.control",
    "{runtime}/systemd/transient",
    "{runtime}/systemd/generator.early",
    "{home}/.config/systemd/user",
    "/etc/systemd/user",
    "{runtime}/systemd/user",
    "/run/systemd/user",
    "{runtime}/systemd/generator",
    "{home}/.local/share/systemd/user",
    "/usr/local/share/systemd/user",
    "/usr/share/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
    "{runtime}/systemd/generator.late",
)
_MOST_OF_ONE = 1 << 16  # bytes; a unit's file has some hundred
_MOST_NAMES = 4_096  # in one folder
_MOST_DROP_INS = 64
_MOST_LISTENS = 1_024  # of one unit
_LONGEST_NAME = 255  # UNIT_NAME_MAX
_TRUE = frozenset({"1", "yes", "y", "true", "t", "on"})
_LISTENS = {"ListenStream": "tcp", "ListenDatagram": "udp", "ListenSequentialPacket": "", "ListenFIFO": ""}
_LISTENS |= dict.fromkeys(("ListenSpecial", "ListenNetlink", "ListenMessageQueue", "ListenUSBFunction"), "")
_MOST_PORTS = 65_535


class Listen(Value):
    """An address that a unit listens on: `address` None is any; `ipv6_only` None is what the system does."""

    transport: Transport
    address: str | None
    port: int
    ipv6_only: bool | None


class Unit(Value):
    """A .socket unit: where it listens, on which interface, and what systemd starts for it."""

    name: str
    listens: tuple[Listen, ...]
    interface: str | None
    service: str | None


class Activated(Value):
    """The .socket unit behind a socket, and the service that systemd starts for it."""

    unit: str
    service: str | None


class Activation:
    """The .socket units of this machine, read when a socket of a manager asks for them."""

    __slots__ = ("_home_of", "_managers", "_root", "_uid_of")

    def __init__(
        self,
        *,
        root: str = "/",
        home_of: Callable[[int], str | None] = files.home_of,
        uid_of: Callable[[str], int | None] | None = None,
    ) -> None:
        """Look below `root`; `home_of` and `uid_of` know the users."""
        self._root = root
        self._home_of = home_of
        self._uid_of = uid_of or _uid_of
        self._managers: dict[int | None, _Manager] = {}

    def behind(self, observation: Observation) -> Activated | None:
        """Return the unit behind a socket that systemd holds; None where it does not, or the files do not tell."""
        if observation.container is not None:  # another systemd's, whose files are elsewhere
            return None
        holder = next(filter(_is_manager, observation.processes), None)
        named = observation.unit if (observation.unit or "").endswith(".socket") else None
        group = observation.cgroup or ""
        if holder is None and named is None and not (group.endswith("/init.scope") and not observation.processes):
            return None
        uid = files.user_of_slice(group)
        if holder is not None and holder.pid != 1:
            uid = self._uid_of(holder.user or "")
            if uid is None:
                return None
        manager = self._managers.get(uid)
        if manager is None:
            manager = self._managers[uid] = self._manager(uid)
        unit = manager.unit(named) if named else manager.listening(observation)
        return None if unit is None else Activated(unit.name, unit.service)

    def _manager(self, uid: int | None) -> _Manager:
        """Return the files of the system's manager, or of a user's."""
        if uid is None:
            return _Manager([files.join(self._root, folder) for folder in _SYSTEM])
        places = {"home": self._home_of(uid), "runtime": f"/run/user/{uid}"}
        folders = [folder.format(**places) for folder in _USER if places["home"] or "{home}" not in folder]
        return _Manager([files.join(self._root, folder) for folder in folders])


class _Manager:
    """The .socket units that one manager may have loaded."""

    __slots__ = ("_by_port", "_contents", "_folders", "_units", "_wanted")

    def __init__(self, folders: list[str]) -> None:
        self._folders = folders
        self._contents: dict[str, list[str]] = {folder: _names(folder) for folder in folders}
        self._units: dict[str, Unit | None] = {}
        self._wanted = {
            name
            for folder, names in self._contents.items()
            for wants in names
            if wants.endswith((".wants", ".requires"))
            for name in _names(f"{folder}/{wants}")
            if name.endswith(".socket")
        }
        self._by_port: dict[tuple[str, int], list[tuple[Unit, Listen]]] | None = None

    def unit(self, name: str) -> Unit | None:
        """Return a unit by its name."""
        if name not in self._units:
            self._units[name] = self._load(name)
        return self._units[name]

    def listening(self, observation: Observation) -> Unit | None:
        """Return the one unit that listens where a socket does; of several the one that is enabled."""
        if self._by_port is None:
            names = {
                name
                for folder, names in self._contents.items()
                for name in names
                if name.endswith(".socket") and not _is_alias(f"{folder}/{name}")
            }
            self._by_port = {}
            for name in sorted((names | self._wanted) - {name for name in names if name.endswith("@.socket")}):
                unit = self.unit(name)
                for listen in unit.listens if unit else ():
                    self._by_port.setdefault((listen.transport, listen.port), []).append((unit, listen))  # type: ignore[arg-type]  # it has listens
        candidates = self._by_port.get((observation.transport, observation.local.port), [])
        found = list(dict.fromkeys([unit for unit, listen in candidates if is_at(observation, listen, unit)]))
        if len(found) > 1:
            found = [unit for unit in found if unit.name in self._wanted]
        return found[0] if len(found) == 1 else None

    def _load(self, name: str) -> Unit | None:
        """Read a unit: the first file of its name, then its drop-in files by their names. None if it is masked."""
        template = template_of(name)
        for candidate in (name,) if template is None else (name, template):
            content = self._find(candidate)
            if content is not None:
                break
        else:
            return None
        if not content:
            return None
        settings = list(parse_unit(content))
        dropped: dict[str, str] = {}
        for drop_in in _drop_ins(name):
            for folder in self._folders:
                if drop_in in self._contents[folder]:
                    for file in _names(f"{folder}/{drop_in}"):
                        if file.endswith(".conf"):
                            dropped.setdefault(file, f"{folder}/{drop_in}/{file}")
        for _file, path in sorted(dropped.items())[:_MOST_DROP_INS]:
            settings += parse_unit(_read(path))
        return interpret(name, settings)

    def _find(self, name: str) -> bytes | None:
        """Return what the first file of a name holds, nothing if it cannot be used; None if there is none."""
        for folder in self._folders:
            if name in self._contents[folder]:
                return _read(f"{folder}/{name}")
        return None


def is_at(observation: Observation, listen: Listen, unit: Unit) -> bool:
    """Tell whether a socket, of the right transport and port, is the one that a unit's line makes."""
    if unit.interface is not None and observation.interface not in {None, unit.interface}:
        return False
    local = observation.local.address
    if listen.address is None:  # the IPv6 wildcard, or IPv4's where there is no IPv6
        return local == "0.0.0.0" or (local == "::" and _agrees(observation.ipv6_only, listen.ipv6_only))
    return local == listen.address and _agrees(observation.ipv6_only, listen.ipv6_only if local == "::" else None)


def _agrees(seen: bool | None, wanted: bool | None) -> bool:  # noqa: FBT001  # two answers to one question
    return seen is None or wanted is None or seen == wanted


def _is_manager(process: Process) -> bool:
    """Tell whether a process is a manager, by its file; pid 1 by its name where its file may not be read."""
    if process.executable is None:
        return process.pid == 1 and process.name == "systemd"
    return process.executable in SYSTEMD


def _uid_of(user: str) -> int | None:
    """Return the number of a user, who may be known by number only."""
    if user.isascii() and user.isdigit():
        return int(user)
    from pwd import getpwnam  # noqa: PLC0415  # may ask a directory service: only for a user's manager

    try:
        return getpwnam(user).pw_uid
    except KeyError:
        return None


def _is_alias(path: str) -> bool:
    """Tell whether a file of a unit is a link that gives it another name."""
    try:
        target = os.readlink(path).rpartition("/")[2]
    except OSError:
        return False
    return target.endswith(".socket") and target != path.rpartition("/")[2] and "@" not in target


def _names(folder: str) -> list[str]:
    try:
        return files.names(folder, _MOST_NAMES)
    except PermissionError:
        return []


def _read(path: str) -> bytes:
    try:
        return files.read(path, _MOST_OF_ONE) or b""
    except PermissionError:
        return b""


# ------------------------------------------------------------------------------------------------------------ parsing


def parse_unit(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the settings of a unit file's section [Socket], in order (systemd.syntax(7))."""
    section = line = ""
    for raw in content.decode("utf-8", "replace").split("\n"):
        text = raw.strip()
        if text[:1] in {"#", ";"} or (not text and not line):  # a comment does not end what is continued
            continue
        if text.endswith("\\"):
            line += text[:-1] + " "
            continue
        line, text = "", line + text
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
        elif section == "Socket":
            key, equals, value = text.partition("=")
            if equals:
                yield key.strip(), value.strip()


def interpret(name: str, settings: Iterable[tuple[str, str]]) -> Unit:
    """Make a unit of its settings; what cannot be understood is left out."""
    lines: list[tuple[str, str]] = []
    last: dict[str, str] = {}
    for key, value in settings:
        if key not in _LISTENS:
            last[key] = value
        elif not value:  # an empty assignment of any kind forgets all
            lines.clear()
        elif _LISTENS[key] and len(lines) < _MOST_LISTENS:
            lines.append((_LISTENS[key], value))
    ipv6_only = {"both": False, "ipv6-only": True}.get(last.get("BindIPv6Only", ""))
    protocol = last.get("SocketProtocol", "")
    listens: list[Listen] = []
    for transport, value in lines:
        place = parse_address(expand(value, name) or "")
        used = "sctp" if protocol == "sctp" else transport
        if place is not None and protocol != "udplite":
            listens.append(Listen(used, *place, ipv6_only))  # type: ignore[arg-type]  # one of the table's
    interface = expand(last.get("BindToDevice", ""), name) or None
    return Unit(name, tuple(listens), interface, _service_of(name, last))


def _service_of(name: str, last: dict[str, str]) -> str | None:
    """Return the service that is started for a unit: once, or with Accept= once for each connection."""
    stem = name.removesuffix(".socket")
    if last.get("Accept", "").lower() in _TRUE:
        return f"{stem.partition('@')[0]}@.service"
    named = last.get("Service", "")
    service = expand(named, name) if named else f"{stem}.service"
    is_name = service and service.endswith(".service") and "/" not in service and len(service) <= _LONGEST_NAME
    return service if is_name else None


def parse_address(text: str) -> tuple[str | None, int] | None:
    """Return address and port of a Listen... line: PORT, IPv4:PORT, [IPv6]:PORT, with %INTERFACE behind; else None.

    >>> parse_address("[::1]:22")
    ('::1', 22)
    """
    host, colon, number = text.rpartition(":")
    number = number.partition("%")[0]
    if not (number.isascii() and number.isdigit() and 0 < int(number[:6]) <= _MOST_PORTS):
        return None
    port = int(number)
    if not colon:
        return None, port
    family = _socket.AF_INET6 if host.startswith("[") and host.endswith("]") else _socket.AF_INET
    try:
        packed = _socket.inet_pton(family, host.strip("[]") if family == _socket.AF_INET6 else host)
    except (OSError, ValueError):
        return None
    mapped = bytes(10) + b"\xff\xff"
    if packed.startswith(mapped) and len(packed) > len(mapped):
        return _socket.inet_ntop(_socket.AF_INET, packed[len(mapped) :]), port
    return _socket.inet_ntop(family, packed), port


def template_of(name: str) -> str | None:
    """Return the template of an instance; None for what is none.

    >>> template_of("web@80.socket")
    'web@.socket'
    """
    prefix, at, instance = name.partition("@")
    return f"{prefix}@.socket" if at and instance != ".socket" else None


def _drop_ins(name: str) -> Iterator[str]:
    """Yield the folders of drop-in files that apply to a unit, the most special first."""
    yield f"{name}.d"
    template = template_of(name)
    if template is not None:
        yield f"{template}.d"
    parts = name.removesuffix(".socket").partition("@")[0].split("-")
    for count in range(len(parts) - 1, 0, -1):
        yield "-".join(parts[:count]) + "-.socket.d"
    yield "socket.d"


def expand(text: str, name: str) -> str | None:
    """Replace the specifiers that the unit's name explains; None where there is another.

    >>> expand("%i%%", "web@8080.socket")
    '8080%'
    """
    stem = name.removesuffix(".socket")
    prefix, _, instance = stem.partition("@")
    known = {
        "%": "%",
        "n": name,
        "N": stem,
        "p": prefix,
        "P": _unescape(prefix),
        "i": instance,
        "I": _unescape(instance),
        "j": prefix.rpartition("-")[2],
        "J": _unescape(prefix.rpartition("-")[2]),
    }
    parts = text.split("%")
    out = [parts.pop(0)]
    while parts:
        part = parts.pop(0)
        if not part and parts:  # two in a row
            out.append("%" + parts.pop(0))
        elif part[:1] in known and part:
            out.append(known[part[0]] + part[1:])
        else:
            return None
    return "".join(out)


def _unescape(text: str) -> str:
    from portulan.observe.containers import unescape  # noqa: PLC0415  # few units ask for it

    return unescape(text.replace("-", "/"))
