"""IANA's Service Name and Transport Protocol Port Number Registry: from its CSV to rows, and from rows to states.

The rows are kept as IANA publishes them; what they mean for a (port, transport) pair is decided here and nowhere else.
"""

from __future__ import annotations

import csv
import io
import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from portulan.errors import RegistryError
from portulan.model import PORTS, TRANSPORTS, Assignment, PortRange, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from portulan.model import State, Transport

COLUMNS: Final = (
    "Service Name",
    "Port Number",
    "Transport Protocol",
    "Description",
    "Assignee",
    "Contact",
    "Registration Date",
    "Modification Date",
    "Reference",
    "Service Code",
    "Unauthorized Use Reported",
    "Assignment Notes",
)
"""The twelve columns of IANA's CSV, in its order."""

STATES: Final[tuple[State, ...]] = ("unassigned", "reserved", "assigned")
"""The states from weakest to strongest."""

UNSTATED: Final[tuple[Transport, ...]] = ("tcp", "udp")
"""What a row with a port but no transport counts for: the transports that the registry had when it was written."""

ADDRESS: Final = "https://www.iana.org/assignments/service-names-port-numbers/service-names-port-numbers"
"""Where IANA publishes the registry, without the ending ``.csv`` or ``.xml``."""

MAX_ROWS: Final = 200_000
"""More than ten times as many rows as IANA's registry has."""

MAX_COLUMN: Final = 65_536
"""How many characters a column may have; IANA's longest has 1,532, and the csv module reads no more than 131,072."""

_DEASSIGNED = ("unassigned", "removed", "de-registered", "decomissioned", "de-commissioned", "decommissioned")
_DEASSIGNED_NAMELESS = ("deprecated",)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DATES = slice(COLUMNS.index("Registration Date"), COLUMNS.index("Modification Date") + 1)
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}(-[0-9]{2})?)?")  # a month, a day, or nothing
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_ALIAS = re.compile(r'This entry is an alias to "([^"]+)"')


class NotIana(RegistryError):  # noqa: N818  # reads as what happened
    """A file that was to be IANA's registry and is not."""

    def __init__(self, form: str, why: str) -> None:
        """Take the form that was expected, CSV or XML, and what is wrong."""
        super().__init__(f"not IANA's registry: {why}", hint=f"the file is at {ADDRESS}{form}")


CSV: Final = ".csv"
XML: Final = ".xml"
"""The forms of the registry, as the ending of its address."""


def parse_csv(data: bytes) -> list[Assignment]:
    """Return IANA's rows, in order, from its CSV; record ends may be LF or CRLF.

    Raises NotIana where the columns are not IANA's twelve, a row cannot be one of IANA's, or the last line has no end:
    a file that was cut off between two rows looks whole but for that.
    """
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise NotIana(CSV, f"byte {error.start} is not UTF-8") from None
    if not text.strip():
        raise NotIana(CSV, "it is empty")
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        raise NotIana(CSV, f"line {line} has a control character")
    if not text.endswith("\n"):
        raise NotIana(CSV, "its last line has no end, it is cut off")
    records = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = next(records)
        if tuple(columns) != COLUMNS:
            raise NotIana(CSV, f"its columns are {_shorten(', '.join(columns))}")
        rows = [parse_row(record, records.line_num) for record in islice(records, MAX_ROWS + 1) if record]
    except csv.Error as error:
        raise NotIana(CSV, f"{error}, line {records.line_num}") from None
    if len(rows) > MAX_ROWS:
        raise NotIana(CSV, f"it has more than {MAX_ROWS} rows")
    return rows


def parse_row(record: Sequence[str], line: int, form: str = CSV) -> Assignment:
    """Return one row from its twelve texts; line and form are only for the error.

    Whatever it takes can be written as CSV and read back as the same row.
    """
    if len(record) != len(COLUMNS):
        raise NotIana(form, f"line {line} has {len(record)} columns instead of {len(COLUMNS)}")
    if max(map(len, record)) > MAX_COLUMN:
        raise NotIana(form, f"line {line} has a column of more than {MAX_COLUMN} characters")
    if _CONTROL.search("".join(record)):
        raise NotIana(form, f"line {line} has a control character")
    for text in record[_DATES]:
        if not _DATE.fullmatch(text):
            raise NotIana(form, f"line {line} has the date {_shorten(text)!r}")
    name, numbers, transport, *rest = record
    if transport and transport not in TRANSPORTS:
        raise NotIana(form, f"line {line} has the transport {_shorten(transport)!r}")
    ports = _parse_ports(numbers)
    if numbers and ports is None:
        raise NotIana(form, f"line {line} has the port {_shorten(numbers)!r}")
    return Assignment(name or None, (), ports, transport or None, *[text or None for text in rest])


def _parse_ports(text: str) -> PortRange | None:
    """Return ``22`` or ``6000-6063`` as a range; None where it is neither."""
    found = _PORTS.fullmatch(text)
    if found is None:
        return None
    ports = PortRange(int(found[1]), int(found[2] or found[1]))
    return ports if ports.first <= ports.last < PORTS else None


def _shorten(text: str, width: int = 60) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def collapse_aliases(rows: Iterable[Assignment]) -> list[Assignment]:
    """Put each row that says it is an alias onto the row of its service with the same ports and transport.

    The alias row disappears and its name stands in `aliases`; without such a row it stays. "Duplicate of http" is no
    alias in IANA's sense and stays too.
    """
    rows = list(rows)
    homes = {
        (row.service_name.casefold(), row.ports, row.transport): place
        for place, row in enumerate(rows)
        if row.service_name and alias_of(row) is None
    }
    aliases: dict[int, list[str]] = {}
    gone = set()
    for place, row in enumerate(rows):
        service = alias_of(row)
        home = homes.get((service.casefold(), row.ports, row.transport)) if service else None
        if home is not None and row.service_name:
            aliases.setdefault(home, []).append(row.service_name)
            gone.add(place)
    return [
        replace(row, aliases=tuple(aliases[place])) if place in aliases else row
        for place, row in enumerate(rows)
        if place not in gone
    ]


def alias_of(row: Assignment) -> str | None:
    """Return the service that a row says it is an alias of."""
    found = _ALIAS.search(row.assignment_notes or "")
    return found[1] if found else None


def state_of(row: Assignment) -> State:
    """Return what one row makes of its (port, transport) pairs.

    Removed, de-registered and decommissioned rows assign nothing, even where a name was left in them (sua, 14001/udp).
    "Reserved" without a name is reserved; with one (stun-behaviors, 5349/udp) it is an assignment with a remark. Of the
    other nameless rows only "Deprecated" (1028) assigns nothing; "any private mail system" and the like are assigned.
    """
    said = (row.description or "").casefold().lstrip("(")
    if said.startswith(_DEASSIGNED):
        return "unassigned"
    if row.service_name is None:
        if said.startswith("reserved"):
            return "reserved"
        if said.startswith(_DEASSIGNED_NAMELESS) or not said:
            return "unassigned"
    return "assigned"


def transports_of(row: Assignment) -> tuple[Transport, ...]:
    """Return the transports that a row counts for: its own, or tcp and udp where it names none."""
    return (row.transport,) if row.transport else UNSTATED


def strongest(states: Iterable[State]) -> State:
    """Return the state of a pair from what its rows make of it: assigned, else reserved, else unassigned."""
    return max(states, key=STATES.index, default="unassigned")
