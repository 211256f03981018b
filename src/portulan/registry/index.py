"""The index: one file, mapped into memory, that answers by number and by name without reading the rest.

It is on the path of every look-up, so nothing is imported that can be done without: numbers are read with
``int.from_bytes``, texts are split at separators, and no general decoder is ever shown the file. Whatever is read is
checked first; a file that is truncated, damaged or foreign is a `RegistryError`, never a wrong answer.

Layout (all numbers little-endian; offsets from the start of the file)::

    header   magic, version, file size, check, then the places of ...
    ports    65,536 x u32: the offset of the record that tells what is true of this number
    states   4 x 65,536 bytes: the state of each (transport, port) pair
    keys     n x u32: the offsets of key records, sorted by key ("s:ssh", "x:sshd", "p:smtp")
    heap     records: u32 check, u32 length, payload; each stored once

A record about numbers holds the first and last number it is true of, so that a wrong offset is noticed. The check is
the remainder of the bytes, taken as one number, by the largest prime below 2**32: it catches every flipped bit, and the
interpreter can compute it without an import.
"""

from __future__ import annotations

import os
from mmap import ACCESS_READ, mmap

from portulan.errors import RegistryError, UsageError
from portulan.model import (
    PORTS,
    TRANSPORTS,
    Assignment,
    Citation,
    Entry,
    Executable,
    Grade,
    KnownUse,
    PortRange,
    TransportEntry,
    base_name,
    tier_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from portulan.model import State

    Run = tuple[int, int, tuple[TransportEntry, ...], tuple[KnownUse, ...]]

INDEX_NAME = "registry.idx"
SEARCH_NAME = "search.sqlite"
"""The two built files; they lie in one folder."""

MAGIC = b"PORTULAN"
VERSION = 2
HEADER = 128
PRIME = 4_294_967_291
STATES: tuple[State, ...] = ("unassigned", "reserved", "assigned")
"""States by their code in the file."""

NONE = "\x00"
FIELD = "\x1f"
ITEM = "\x1e"
"""Text separators: no value, the next field, the next item of a list."""

_NOTHING = bytes(8)  # of a pair: no grade and no rows

_REINSTALL = "install portulan again"


def check_of(data: bytes | bytearray) -> int:
    """Return the check of some bytes."""
    return int.from_bytes(data, "little") % PRIME


def u32(data: bytes | mmap, at: int) -> int:
    """Read an unsigned 32-bit number."""
    return int.from_bytes(data[at : at + 4], "little")


def u16(data: bytes, at: int) -> int:
    """Read an unsigned 16-bit number."""
    return int.from_bytes(data[at : at + 2], "little")


class UnusableIndex(RegistryError):  # noqa: N818  # reads as what happened
    """The index is damaged, cut off or no index."""

    def __init__(self, path: str, why: str) -> None:
        """Take the file and what is wrong with it."""
        hint = _REINSTALL if path == f"{packaged_folder()}/{INDEX_NAME}" else mend(path)
        super().__init__(f"the registry index {path} cannot be used: {why}", hint=hint)


class OtherVersion(UnusableIndex):
    """The index was written by another version of Portulan."""


def mend(path: str) -> str:
    """Say what to do about a damaged file in the user's data folder."""
    return f"remove {path}, or: portulan registry update FILE|URL"


class Index:
    """The registry as one file. Opening reads the header only.

    `snapshot` is the date of IANA's rows, `path` the file, `beside` the size and modification time (ns) of the packaged
    index that was there when this one was built (0, 0 in a packaged one). `ignored` is why the user's own index, if
    there is one, does not answer instead.
    """

    __slots__ = (
        "_assignments",
        "_data",
        "_keys",
        "_keys_count",
        "_ports",
        "_runs",
        "_shared",
        "_states",
        "_states_check",
        "_table",
        "_uses",
        "beside",
        "ignored",
        "path",
        "snapshot",
    )

    def __init__(self, path: str) -> None:
        """Map the file and check its header.

        Raises RegistryError where it is no index of this version, or damaged; FileNotFoundError where it is not there.
        """
        self.path = path
        self.ignored: RegistryError | None = None
        # A machine asks for thousands of numbers, and most of them say the same: what was read is kept.
        self._runs: dict[int, Run] = {}
        self._assignments: dict[int, Assignment] = {}
        self._uses: dict[int, KnownUse] = {}
        self._shared: dict[tuple[int, ...], tuple[KnownUse, ...]] = {}
        self._table = b""
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        try:
            size = os.fstat(descriptor).st_size
            if size < HEADER:
                raise UnusableIndex(path, "too short")
            self._data = mmap(descriptor, 0, access=ACCESS_READ)
        except OSError as error:
            raise UnusableIndex(self.path, error.strerror or "not readable") from None
        finally:
            os.close(descriptor)
        header = self._data[:HEADER]
        if header[:8] != MAGIC:
            raise UnusableIndex(self.path, "not an index of Portulan")
        if u32(header, 8) != VERSION:
            raise OtherVersion(path, "it is of another version of Portulan")
        if check_of(header[20:]) != u32(header, 16):
            raise UnusableIndex(self.path, "damaged header")
        if u32(header, 12) != size:
            raise UnusableIndex(self.path, f"{size} bytes long instead of {u32(header, 12)}")
        self._ports = u32(header, 20)
        self._states = u32(header, 24)
        self._states_check = u32(header, 28)
        self._keys_count = u32(header, 36)
        start = u32(header, 32)
        self._keys = start, u32(header, 40)
        self.beside = int.from_bytes(header[44:52], "little"), int.from_bytes(header[52:60], "little")
        self.snapshot = header[60:92].rstrip(b"\x00").decode("utf-8", "replace")

    def entry(self, port: int) -> Entry:
        """Return what the map says of one port number, over all four transports.

        Known uses of the number itself stand before pools, documented before reported, default before optional, then
        by product. Raises UsageError for a number that is no port.
        """
        if not 0 <= port < PORTS:
            message = f"{port} is not a port number"
            raise UsageError(message, hint="port numbers go from 0 to 65535")
        place = u32(self._data, self._ports + 4 * port)
        run = self._runs.get(place)
        if run is None:
            run = self._runs[place] = self._run(place)
        first, last, transports, known_uses = run
        if not first <= port <= last:
            raise UnusableIndex(self.path, f"wrong place for port {port}")
        return Entry.of((port, tier_of(port), self.snapshot, transports, known_uses))

    def _run(self, place: int) -> Run:
        """Read what is true of a run of numbers: the first and the last of them, their transports, their known uses."""
        try:
            record = self._record(place)
            at = 8 + 8 * len(TRANSPORTS)
            uses = u16(record, at)
            at += 2
            transports = []
            for number, transport in enumerate(TRANSPORTS):
                head = 8 + 8 * number
                if record[head : head + 8] == _NOTHING:
                    transports.append(TransportEntry.of((transport, STATES[record[4 + number]], None, (), ())))
                    continue
                grade = u32(record, head)
                assignments = u16(record, head + 4)
                others = u16(record, head + 6)
                between = at + 4 * assignments
                after = between + 4 * others
                rows = tuple([self._assignment(u32(record, ref)) for ref in range(at, between, 4)])
                other_rows = tuple([self._assignment(u32(record, ref)) for ref in range(between, after, 4)])
                known_grade = self._grade(grade) if grade else None
                transports.append(
                    TransportEntry.of((transport, STATES[record[4 + number]], known_grade, rows, other_rows))
                )
                at = after
            known = self._known_uses(tuple([u32(record, ref) for ref in range(at, at + 4 * uses, 4)]))
        except (ValueError, IndexError, TypeError) as error:
            raise UnusableIndex(self.path, str(error)) from None
        return u16(record, 0), u16(record, 2), tuple(transports), known

    def services(self, name: str) -> tuple[Assignment, ...]:
        """Return the assignments of a service, by its name or an alias, in any case; also those without a port."""
        return tuple([self._assignment(ref) for ref in self._refs("s:" + name.lower())])

    def executables(self, path_or_name: str) -> tuple[Executable, ...]:
        """Return the programs of this file name, from whatever folder.

        Names are compared as they are, those of Windows programs in any case. A version behind the name is dropped
        where the name as it stands is unknown (``php-fpm8.2``, ``python3.11``, ``postgres-15``).
        """
        for name in names_of(base_name(path_or_name)):
            refs = self._refs("x:" + name) or self._refs("w:" + name.lower())
            if refs:
                return tuple([self._executable(ref) for ref in refs])
        return ()

    def executables_of_unit(self, unit: str) -> tuple[Executable, ...]:
        """Return the programs that packages run as this systemd unit; an instance is found under its template."""
        template, at, rest = unit.partition("@")
        names = (unit, f"{template}@.{rest.rpartition('.')[2]}") if at else (unit,)
        for name in names:
            refs = self._refs("u:" + name)
            if refs:
                return tuple([self._executable(ref) for ref in refs])
        return ()

    def programs(self) -> tuple[Executable, ...]:
        """Return all programs of the catalogue: a thousand records, for who asks about all of it."""
        bodies = [body for prefix in ("w:", "x:") for _, body in self._under(prefix)]
        refs = dict.fromkeys([u32(body, at) for body in bodies for at in range(0, len(body), 4)])
        return tuple([self._executable(ref) for ref in refs])

    def protocols(self) -> dict[str, tuple[str, ...]]:
        """Return IANA's service names for each of our protocol names."""
        return {name: tuple(self._text(body).split(FIELD)) for name, body in self._under("p:")}

    def protocol_services(self, protocol: str) -> tuple[str, ...]:
        """Return IANA's service names for one of our protocol names; () if there is none."""
        body = self._find("p:" + protocol.lower())
        return tuple(self._text(body).split(FIELD)) if body else ()

    def states(self, transport: str) -> bytes:
        """Return one state code per port number: 0 unassigned, 1 reserved, 2 assigned."""
        if transport not in TRANSPORTS:
            message = f"{transport!r} is not a transport"
            raise UsageError(message, hint=f"transports are {', '.join(TRANSPORTS)}")
        table = self._data[self._states : self._states + len(TRANSPORTS) * PORTS]
        if check_of(table) != self._states_check:
            raise UnusableIndex(self.path, "damaged states")
        place = TRANSPORTS.index(transport)
        return table[place * PORTS : (place + 1) * PORTS]

    # ------------------------------------------------------------------------------------------------ reading records

    def _record(self, at: int) -> bytes:
        """Return the payload of the record at an offset, after checking it."""
        if not HEADER <= at <= len(self._data) - 8:
            raise UnusableIndex(self.path, f"no record at {at}")
        length = u32(self._data, at + 4)
        record = self._data[at + 4 : at + 8 + length]
        if len(record) != 4 + length or check_of(record) != u32(self._data, at):
            raise UnusableIndex(self.path, f"damaged at {at}")
        return record[4:]

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise UnusableIndex(self.path, str(error)) from None

    def _fields(self, at: int, count: int) -> list[Any]:
        fields: list[Any] = [None if text == NONE else text for text in self._text(self._record(at)).split(FIELD)]
        if len(fields) != count:
            raise UnusableIndex(self.path, f"{len(fields)} fields instead of {count} at {at}")
        return fields

    def _assignment(self, at: int) -> Assignment:
        row = self._assignments.get(at)  # a row without a transport is one of all four
        if row is None:
            name, aliases, first, last, *rest = self._fields(at, 14)
            ports = None if first is None else PortRange(int(first), int(last))
            row = self._assignments[at] = Assignment.of((name, _items(aliases), ports, *rest))
        return row

    def _known_uses(self, refs: tuple[int, ...]) -> tuple[KnownUse, ...]:
        """Return some known uses: one value for all runs that have the same, which can so be told at a glance."""
        known = self._shared.get(refs)
        if known is None:
            known = self._shared[refs] = tuple([self._use(ref) for ref in refs])
        return known

    def _use(self, at: int) -> KnownUse:
        use = self._uses.get(at)
        if use is None:
            use = self._uses[at] = self._read_use(at)
        return use

    def _read_use(self, at: int) -> KnownUse:
        (
            product,
            vendor,
            first,
            last,
            transport,
            direction,
            protocol,
            relation,
            role,
            default,
            url,
            title,
            attestation,
            program_known,
        ) = self._fields(at, 14)
        return KnownUse(
            product,
            vendor,
            PortRange(int(first), int(last)),
            transport,
            direction,
            protocol,
            relation,
            role,
            default == "yes",
            Citation(url, title),
            attestation,
            program_known == "yes",
        )

    def _executable(self, at: int) -> Executable:
        *facts, services, url, title, attestation, serves, speaks = self._fields(at, 14)
        name, system, product, vendor, distinct, package, path, unit = facts
        return Executable(
            name,
            system,
            product,
            vendor,
            distinct,
            package,
            path,
            unit,
            _items(services),
            Citation(url, title),
            attestation,
            serves == "yes",
            _items(speaks),
        )

    def _grade(self, at: int) -> Grade:
        registration, url, title, products, reasons = self._fields(at, 5)
        return Grade(registration, None if url is None else Citation(url, title), _items(products), _items(reasons))

    # ------------------------------------------------------------------------------------------------- finding by name

    def _refs(self, key: str) -> Sequence[int]:
        body = self._find(key)
        return [u32(body, at) for at in range(0, len(body), 4)] if body else ()

    def _under(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield what stands under each key that begins so, with the rest of the key."""
        start = prefix.encode()
        for place in range(self._place(start), self._keys_count):
            key, _, body = self._record(u32(self._table, 4 * place)).partition(b"\x00")
            if not key.startswith(start):
                return
            yield self._text(key[len(start) :]), body

    def _find(self, key: str) -> bytes | None:
        """Return what stands under a key."""
        wanted = key.encode("utf-8", "surrogatepass")
        place = self._place(wanted)
        if place == self._keys_count:
            return None
        found, _, body = self._record(u32(self._table, 4 * place)).partition(b"\x00")
        return body if found == wanted else None

    def _place(self, wanted: bytes) -> int:
        """Return the place of the first key that is not before the wanted one, by binary search."""
        table = self._table
        if not table:
            start, check = self._keys
            table = self._data[start : start + 4 * self._keys_count]
            if check_of(table) != check:
                raise UnusableIndex(self.path, "damaged keys")
            self._table = table
        low, high = 0, self._keys_count
        while low < high:
            middle = (low + high) // 2
            if self._record(u32(table, 4 * middle)).partition(b"\x00")[0] < wanted:
                low = middle + 1
            else:
                high = middle
        return low


def _items(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(ITEM)) if text is not None else ()


def names_of(name: str) -> tuple[str, ...]:
    """Return a program's name as it is, then without its minor version, then without its major one.

    A number counts as a version where it has a dot or follows a hyphen or underscore: ``php-fpm8.2`` is also
    ``php-fpm8`` and ``php-fpm``, ``postgres-15`` also ``postgres``; ``apache2`` is only itself. Of a program of Windows
    it stands before the ``.exe``.
    """
    head, dot, suffix = name.rpartition(".")
    if suffix.lower() == "exe":
        return tuple([each + dot + suffix for each in names_of(head)])
    names = [name]
    stem = name
    while True:
        head, dot, digits = stem.rpartition(".")
        if not (dot and digits.isdecimal() and head[-1:].isdecimal()):
            break
        stem = head
    if stem != name:
        names.append(stem)
    bare = stem.rstrip("0123456789")
    if bare != stem and (stem != name or bare[-1:] in ("-", "_")):
        names.append(bare.rstrip("-_"))
    return tuple(names)


# ------------------------------------------------------------------------------------------------ which file to open


def packaged_folder() -> str:
    """Return the folder of the files that came with the package."""
    return os.path.dirname(__file__)  # noqa: PTH120  # pathlib costs a look-up half its time


def data_folder() -> str | None:
    """Return the user's data folder: $PORTULAN_DATA, else by the XDG base directories; None without a home folder.

    Raises RegistryError where it is relative to a working folder that is gone.
    """
    named = os.environ.get("PORTULAN_DATA")
    if named:
        try:
            return os.path.abspath(named)  # noqa: PTH100  # as above
        except OSError as error:
            message = f"PORTULAN_DATA is {named!r}, and the working folder cannot be found: {error.strerror}"
            raise RegistryError(message, hint="set PORTULAN_DATA to a path that begins with /") from None
    base = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(base):  # noqa: PTH117  # the XDG specification: a relative path counts for nothing
        home = os.path.expanduser("~")  # noqa: PTH111  # as above
        if not os.path.isabs(home):  # noqa: PTH117
            return None
        base = f"{home}/.local/share"
    return f"{base}/portulan"


def stamp_of(folder: str) -> tuple[int, int]:
    """Return size and modification time (ns) of the index in a folder; (0, 0) where there is none."""
    try:
        status = os.stat(f"{folder}/{INDEX_NAME}")  # noqa: PTH116  # as above
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def open_index() -> Index:
    """Open the index that answers: the user's own after ``registry update``, else the packaged one.

    The user's own is passed over where it is damaged, unreadable or somebody else's, and after an upgrade of the
    package unless its snapshot is newer; `Index.ignored` then tells why. Raises RegistryError where no index can be
    used.
    """
    folder = packaged_folder()
    packaged = f"{folder}/{INDEX_NAME}"
    own, ignored = _open_own()
    if own is not None and own.beside == stamp_of(folder):
        return own
    try:
        came = Index(packaged)
    except OSError as error:
        message = f"the registry index {packaged} cannot be read: {error.strerror}"
        raise RegistryError(message, hint=_REINSTALL) from None
    if own is not None:
        if own.snapshot > came.snapshot:
            return own
        message = f"{own.path} of {own.snapshot}: Portulan was upgraded since, and came with {came.snapshot}"
        ignored = RegistryError(message, hint=mend(own.path))
    came.ignored = ignored
    return came


def _open_own() -> tuple[Index | None, RegistryError | None]:
    """Open the user's own index, if there is one that counts; else tell why one that is there does not."""
    folder = data_folder()
    if folder is None:
        return None, None
    path = f"{folder}/{INDEX_NAME}"
    try:
        if is_foreign(path):
            return None, RegistryError(f"{path} belongs to somebody else")
        return Index(path), None
    except UnusableIndex as error:
        return None, error
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        message = f"the registry index {path} cannot be read: {error.strerror}"
        if os.environ.get("PORTULAN_DATA"):
            raise RegistryError(message, hint="PORTULAN_DATA names a folder that you cannot read") from None
        return None, RegistryError(message)


def is_foreign(path: str) -> bool:
    """Tell whether a file in the data folder is somebody else's; raises OSError where there is none.

    In the default place a file counts only if it is this user's or root's: some ways of becoming root keep HOME, and
    the user whose home it is could else tell root what to believe. A folder named in PORTULAN_DATA is taken at its
    word.
    """
    if os.environ.get("PORTULAN_DATA") or os.name != "posix":
        return False
    return os.stat(path).st_uid not in (0, os.geteuid())  # noqa: PTH116  # pathlib costs a look-up half its time
