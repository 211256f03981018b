"""IANA's rows: what the parser takes, what it refuses, and what a row means."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from portulan.errors import RegistryError
from portulan.model import PortRange, replace
from portulan.registry.build import IANA
from portulan.registry.iana import COLUMNS, alias_of, collapse_aliases, parse_csv, state_of, strongest

if TYPE_CHECKING:
    from portulan.model import Assignment

HEADER = ",".join(COLUMNS) + "\n"


def named(rows: list[Assignment], name: str) -> list[Assignment]:
    """Return the rows of a service."""
    return [row for row in rows if row.service_name == name]


# -------------------------------------------------------------------------------------------------------- the numbers


@pytest.mark.parametrize(
    ("snapshot", "records", "folded", "portless", "unassigned"),
    [
        ("2020-07", 14238, 255, 966, 858),
        ("2025-03", 14474, 444, 1048, 881),
        ("2025-11", 14496, 444, 1055, 884),
        ("2026-02", 14499, 444, 1055, 885),
    ],
)
def test_every_snapshot_has_all_its_rows(
    snapshot: str, records: int, folded: int, portless: int, unassigned: int
) -> None:
    """A snapshot is read whole: records, those of several lines, those without a port, those "Unassigned"."""
    rows = parse_csv((IANA / f"{snapshot}.csv").read_bytes())
    assert len(rows) == records
    assert sum("\n" in text for row in rows for text in [texts(row)]) == folded
    assert sum(row.ports is None for row in rows) == portless
    assert sum((row.description or "").casefold().startswith("unassigned") for row in rows) == unassigned


def texts(row: Assignment) -> str:
    """Return all texts of a row, separated."""
    return "|".join(str(value) for value in row._astuple() if isinstance(value, str))


def test_the_newest_snapshot_has_the_known_shape(rows: list[Assignment]) -> None:
    """Names, ranges, transports, dates, codes and notes are counted as the census of the registry counted them."""
    assert sum(row.service_name is not None for row in rows) == 12779
    assert len({row.service_name for row in rows if row.service_name and row.ports}) == 6332
    assert Counter(row.transport for row in rows) == {"tcp": 6586, "udp": 6345, "sctp": 93, "dccp": 11, None: 1464}
    ranges = [row for row in rows if row.ports and row.ports.first != row.ports.last]
    assert len(ranges) == 762 - 6  # six blocks are written as ranges of one number
    assert sum(row.service_name is not None for row in ranges) == 8
    assert sum(row.ports is not None and row.transport is None for row in rows) == 883
    assert sum(row.unauthorized_use_reported is not None for row in rows) == 112
    assert sum(row.service_code is not None for row in rows) == 4
    dates = Counter(len(row.registration_date or "") for row in rows if row.service_name and row.ports)
    assert (dates[7], dates[10]) == (2608, 1622)  # months, and days


def test_texts_of_several_lines_stay_whole(rows: list[Assignment]) -> None:
    """Line feeds stand in 190 descriptions, 254 notes and one reference, and stay there."""
    assert sum("\n" in (row.description or "") for row in rows) == 190
    assert sum("\n" in (row.assignment_notes or "") for row in rows) == 254
    assert sum("\n" in (row.reference or "") for row in rows) == 1


def test_states_of_rows_are_those_of_the_census(rows: list[Assignment]) -> None:
    """Every row is assigned, reserved or unassigned; the odd ones are counted by hand."""
    states = Counter(state_of(row) for row in rows)
    # The census has 12,779 named, 816 reserved, removed and de-registered, 885 unassigned, 19 nameless but assigned.
    # Of the named one is de-registered (sua). Of the 816 eight are removed or de-registered; of the 19 four are
    # decommissioned, deprecated or "(unassigned) ...".
    assert states == {
        "assigned": 12779 - 1 + 19 - 4,
        "reserved": 816 - 8,
        "unassigned": 885 + 1 + 8 + 4,
    }
    nameless = [row for row in rows if row.service_name is None and state_of(row) == "assigned"]
    assert sorted({row.description for row in nameless if row.description}) == [
        "Possibly used by Sun Solaris????",
        "any private RJE service",
        "any private dial out service",
        "any private file service",
        "any private mail system",
        "any private printer server",
        "any private terminal access",
        "any private terminal link",
    ]


@pytest.mark.parametrize(
    ("port", "transport", "state"),
    [
        (585, None, "unassigned"),  # De-registered, "use 993 instead"
        (659, None, "unassigned"),  # Removed
        (1028, None, "unassigned"),  # Deprecated
        (1783, None, "unassigned"),  # Decomissioned (sic)
        (9006, None, "unassigned"),  # De-Commissioned
        (14001, "udp", "unassigned"),  # sua: De-Registered with its name left
        (5349, "udp", "assigned"),  # stun-behaviors: "Reserved for a future enhancement"
        (1254, "tcp", "assigned"),  # de-noc begins like "de-registered"
        (24, "tcp", "assigned"),  # any private mail system
        (2, "tcp", "reserved"),  # once compressnet
        (0, "tcp", "reserved"),
    ],
)
def test_odd_rows_have_the_state_that_they_should(
    rows: list[Assignment], port: int, transport: str | None, state: str
) -> None:
    """De-assigned rows assign nothing, with or without a name; named and "any private" rows do."""
    here = [row for row in rows if row.ports == PortRange(port, port) and row.transport == transport]
    assert strongest(map(state_of, here)) == state


# ----------------------------------------------------------------------------------------------------------- aliases


def test_aliases_stand_with_their_service(rows: list[Assignment]) -> None:
    """184 rows say that they are an alias; each is collapsed onto its service with the same ports and transport."""
    aliases = [row for row in rows if alias_of(row)]
    collapsed = collapse_aliases(rows)
    assert len(aliases) == 184
    assert len(collapsed) == len(rows) - 184
    assert sum(len(row.aliases) for row in collapsed) == 184
    ncr = named(collapsed, "ncr-ccl")
    assert [(row.aliases, row.transport) for row in ncr] == [(("ncr_ccl",), "tcp"), (("ncr_ccl",), "udp")]
    assert not named(collapsed, "ncr_ccl")


def test_collapsing_changes_nothing_but_aliases(rows: list[Assignment]) -> None:
    """What IANA says of the service stays verbatim."""
    kept = [replace(row, aliases=()) for row in collapse_aliases(rows)]
    assert kept == [row for row in rows if not alias_of(row)]


def test_duplicates_of_http_are_no_aliases(rows: list[Assignment]) -> None:
    """Www and www-http are "duplicate of http" and keep their own rows."""
    collapsed = collapse_aliases(rows)
    assert named(collapsed, "www")
    assert named(collapsed, "www-http")
    assert all(not row.aliases for row in named(collapsed, "http"))


def test_an_alias_without_its_service_stands_alone(rows: list[Assignment]) -> None:
    """Nothing is lost where the service that an alias names is missing."""
    alone = named(rows, "ncr_ccl")
    assert collapse_aliases(alone) == alone


# ----------------------------------------------------------------------------------------------------------- the file


def test_line_ends_do_not_matter(rows: list[Assignment]) -> None:
    """Records may end in CRLF, as IANA's do, with LF inside their texts, or in LF; a byte order mark is no matter."""
    data = (IANA / "2026-02.csv").read_bytes()
    assert parse_csv(data.replace(b"\n", b"\r\n")) == rows
    assert parse_csv(b"\xef\xbb\xbf" + data) == rows


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("a,b\n1,2\n", "columns are a, b"),
        ("Service Name,Port Number\n", "columns"),
        (HEADER.replace(",Reference", ""), "columns"),
        (HEADER + "ssh,22,tcp\n", "3 columns"),
        (HEADER + "ssh,70000,tcp,,,,,,,,,\n", "port '70000'"),
        (HEADER + "ssh,-1,tcp,,,,,,,,,\n", "port '-1'"),
        (HEADER + "ssh,22-,tcp,,,,,,,,,\n", "port '22-'"),
        (HEADER + "ssh,23-22,tcp,,,,,,,,,\n", "port '23-22'"),
        (HEADER + "ssh,٢٢,tcp,,,,,,,,,\n", "port"),
        (HEADER + "ssh,22,icmp,,,,,,,,,\n", "transport 'icmp'"),
        (HEADER + "ssh,22,tcp,\x1b[2J,,,,,,,,\n", "line 2 has a control character"),
        (HEADER + 'ssh,22,tcp,"unfinished\n', "line"),
        (HEADER + "ssh,22,tcp," + "x" * 200_000 + ",,,,,,,,\n", "field larger than field limit"),
    ],
)
def test_a_file_that_is_not_ianas_is_refused(text: str, why: str) -> None:
    """Columns, ports, transports and texts are checked; the error says what is wrong and the hint where the file is."""
    with pytest.raises(RegistryError) as caught:
        parse_csv(text.encode())
    assert why in caught.value.message
    assert len(caught.value.message) < 200
    assert "iana.org" in (caught.value.hint or "")


def test_binary_is_refused() -> None:
    """A compressed file is no text."""
    with pytest.raises(RegistryError, match="not UTF-8"):
        parse_csv(b"\x1f\x8b\x08\x00" + bytes(range(256)))


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("ssh,22,tcp,,,,2020-1,,,,,", "line 2 has the date '2020-1'"),
        ("ssh,22,tcp,,,,,yesterday,,,,", "line 2 has the date 'yesterday'"),
        ("ssh,22,tcp,a\rb,,,,,,,,", "line 2 has a control character"),
        ("ssh,22,tcp,a\x9bb,,,,,,,,", "line 2 has a control character"),
        ("ssh,22,tcp," + "x" * 65_537 + ",,,,,,,,", "line 2 has a column of more than 65536 characters"),
    ],
)
def test_a_row_that_could_not_be_kept_is_refused(row: str, why: str) -> None:
    """Dates are months or days, texts have line feeds and tabs as their only controls, and no column is endless."""
    with pytest.raises(RegistryError) as caught:
        parse_csv(f"{HEADER}{row}\n".encode())
    assert why in caught.value.message


def test_the_last_line_must_end(rows: list[Assignment]) -> None:
    """A file that was cut off between two rows, or at the end of its last column, is not taken for a whole one."""
    data = (IANA / "2026-02.csv").read_bytes()
    with pytest.raises(RegistryError, match="cut off"):
        parse_csv(data[: data.rindex(b"\n", 0, len(data) * 97 // 100)])
    with pytest.raises(RegistryError, match="cut off"):
        parse_csv(data[:-1])
    assert parse_csv(data) == rows


def test_a_file_of_endless_rows_is_refused() -> None:
    """There is a limit to how many rows a registry has."""
    with pytest.raises(RegistryError, match="more than 200000 rows"):
        parse_csv((HEADER + ",,,,,,,,,,,\n" * 200_001).encode())
