"""What PowerShell's Get-NetTCPConnection and Get-NetUDPEndpoint give: as table, list, CSV or JSON.

The properties are those of MSFT_NetTCPConnection, whose page at Microsoft numbers the states, and of
MSFT_NetUDPEndpoint; a column `ProcessName`, which scripts add, names the owner. The two are told apart by what only one
of them has: where a script has selected nothing of that, no transport is recorded and the rows cannot be read.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from portulan.model import Endpoint
from portulan.observe.readers.records import read_objects
from portulan.observe.readers.sockets import LONGEST, owners, seen, settle, state_of
from portulan.observe.readers.source import Bad
from portulan.observe.readers.values import endpoint, parse_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.readers.source import Source

    Row = dict[str, str]

FORMAT = "get-net-tcp-connection"
SAYS = "Get-NetTCPConnection or Get-NetUDPEndpoint of PowerShell: table, list, ConvertTo-Json, Export-Csv"

STATES = {
    "1": "close",
    "2": "listen",
    "3": "syn-sent",
    "4": "syn-recv",
    "5": "established",
    "6": "fin-wait-1",
    "7": "fin-wait-2",
    "8": "close-wait",
    "9": "closing",
    "10": "last-ack",
    "11": "time-wait",
    "100": "bound",
}
"""MSFT_NetTCPConnection; 12 is `DeleteTCB`, for which nobody else has a word."""

FIRST = 5
"""Among so many lines a table or CSV begins."""

_ONLY_TCP = frozenset({"RemoteAddress", "RemotePort", "State", "AppliedSetting", "OffloadState"})
_ONLY_LOCAL = frozenset({"LocalAddress", "LocalPort", ""})
_CLASSES: dict[str, Transport] = {"MSFT_NetTCPConnection": "tcp", "MSFT_NetUDPEndpoint": "udp"}
_CLASS = re.compile("MSFT_Net(?:TCPConnection|UDPEndpoint)")
_RULER = re.compile(r"\s*-{3,}(?:\s+-{3,})+\s*$")
_PROPERTY = re.compile(r"(?P<name>[A-Z]\w{0,63}) +:(?: |$)(?P<value>.*)$")
_CSV = re.compile(r'"?\w+"?([,;\t|])"?\w')
_COLUMNS = re.compile(r'(?:^|[\s,;|"])LocalAddress["\s,;|].*LocalPort|(?:^|[\s,;|"])LocalPort["\s,;|].*LocalAddress')
_JSON_NAMES = re.compile(r'"LocalPort"\s*:')


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file begins with the properties of these objects."""
    if _is_json(head):
        return bool(_JSON_NAMES.search(head) and '"LocalAddress"' in head)
    lines = [line[:LONGEST] for line in head.splitlines() if line.strip()][:40]
    if any(_COLUMNS.search(line) for line in lines[:FIRST]):
        return True
    names = {match["name"] for line in lines if (match := _PROPERTY.match(line))}
    return names >= {"LocalAddress", "LocalPort"}


def _is_json(head: str) -> bool:
    return head.lstrip().removeprefix("[").lstrip().startswith("{")


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the sockets."""
    return settle(_read(source))


def _read(source: Source) -> Iterator[Observation | Bad]:
    rows = _read_json(source) if _is_json(source.head) else _read_lines(source)
    for row in rows:
        if isinstance(row, Bad):
            yield row
            continue
        line, values = row
        try:
            socket = _parse(source, values)
        except ValueError as error:
            yield Bad(line, str(error))
        else:
            if socket is not None:
                yield socket


def _read_json(source: Source) -> Iterator[tuple[int, Row] | Bad]:
    for record in read_objects(source):
        if isinstance(record, Bad):
            yield record
        else:
            line, values = record
            yield line, {key: "" if value is None else str(value) for key, value in values.items()}


def _read_lines(source: Source) -> Iterator[tuple[int, Row] | Bad]:
    """Read tables, lists and CSV, also behind one another."""
    layout = _Layout()
    item: Row = {}
    begun = 0
    for number, whole in source.lines():
        line = whole[:LONGEST].rstrip()
        match = None if layout.has_begun else _PROPERTY.match(line)
        if item and (not line or (match is not None and match["name"] in item)):
            yield begun, item
            item = {}
        if match is not None:
            begun = begun if item else number
            item[match["name"]] = match["value"].strip()
        elif not item:  # otherwise a value that goes on
            row = layout.take(line)
            if row is not None:
                yield number, row
    if item:
        yield begun, item


class _Layout:
    """Where the properties stand in the lines of the table or CSV that is being read."""

    def __init__(self) -> None:
        self._above: list[str] = []  # the heading of a table; a narrow window breaks it into lines
        self._columns: dict[str, slice] = {}
        self._heading: list[str] = []  # that of CSV
        self._separator = ","
        self._about = ""

    @property
    def has_begun(self) -> bool:
        """Whether the heading has been read."""
        return bool(self._columns or self._heading)

    def take(self, line: str) -> Row | None:
        """Return the properties that a line has; None for a heading, an empty line and what stands before a heading."""
        separated = _CSV.match(line)
        if not line:
            self._above, self._columns, self._heading = [], {}, []
        elif line.startswith("#TYPE"):
            found = _CLASS.search(line)
            self._about, self._heading = found[0] if found else "", []
        elif separated and _COLUMNS.search(line):
            self._separator = separated[1]
            self._heading = _split(line, self._separator)
        elif _RULER.match(line):
            spans = [slice(*dashes.span()) for dashes in re.finditer("-+", line)]
            self._columns = {"".join(words[span].strip() for words in self._above): span for span in spans}
        elif self._heading:
            return {"CimClass": self._about, **dict(zip(self._heading, _split(line, self._separator), strict=False))}
        elif self._columns:
            return _cut(line, self._columns)
        else:
            self._above = [*self._above[-2:], line]
        return None


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def _cut(line: str, columns: dict[str, slice]) -> Row:
    """Return the words of a table's line by the columns below whose dashes they stand, aligned to either side."""
    row: Row = {}
    for word in re.finditer(r"\S+", line):
        name = next((name for name, at in columns.items() if word.start() < at.stop and at.start < word.end()), "")
        row[name] = word[0]
    return row


def _parse(source: Source, row: Row) -> Observation | None:
    """Make the observation of an object's properties. Raises ValueError where they are missing or cut."""
    transport = _transport_of(row)
    local = _parse_end(row, "LocalAddress", "LocalPort")
    if local is None:
        return None
    state = row.get("State", "")
    pid = row.get("OwningProcess", "")
    return seen(
        source,
        transport,
        local,
        _parse_end(row, "RemoteAddress", "RemotePort") if "RemotePort" in row else None,
        (STATES.get(state) or state_of(state)) if transport == "tcp" else None,
        network_type="ipv6" if ":" in row["LocalAddress"] else "ipv4",
        processes=owners([(parse_pid(pid), row.get("ProcessName", "")[:255] or None, None)] if pid else []),
        system="windows",
    )


def _transport_of(row: Row) -> Transport:
    found = _CLASS.search(row.get("CimClass", "") or row.get("CreationClassName", ""))
    if found:
        return _CLASSES[found[0]]
    if not _ONLY_TCP.isdisjoint(row):
        return "tcp"
    if _ONLY_LOCAL.issuperset(row):  # what Get-NetUDPEndpoint shows of itself
        return "udp"
    message = "TCP or UDP is not recorded: leave State, or CimClass, in what is selected"
    raise ValueError(message)


def _parse_end(row: Row, address: str, port: str) -> Endpoint | None:
    """Return an end, None where it has no port. Raises ValueError where it is missing, cut or no number."""
    if address not in row or port not in row:
        message = f"there is no {address} or no {port}"
        raise ValueError(message)
    if row[port] == "0":
        return None
    if row[address].endswith(("...", "…")):
        message = f"{row[address][:40]} is cut; make the window wider, or take ConvertTo-Json"
        raise ValueError(message)
    return Endpoint(endpoint(row[address].partition("%")[0], 0).address, parse_port(row[port]))


def parse_pid(text: str) -> int:
    """Return a process id. Raises ValueError for anything but a number of ten digits at most."""
    if text.isascii() and text.isdigit() and len(text) <= len("4294967295"):
        return int(text)
    message = f"{text[:40]!r} is not a process id"
    raise ValueError(message)
