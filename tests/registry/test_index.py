"""The index: what is put in comes out, by number and by name; a damaged file is refused, whatever is wrong with it."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portulan.errors import RegistryError, UsageError
from portulan.model import PORTS, TRANSPORTS, Entry, PortRange, TransportEntry, base_name, tier_of
from portulan.registry.compile import Compiled, Run
from portulan.registry.encode import encode_index
from portulan.registry.index import (
    HEADER,
    INDEX_NAME,
    VERSION,
    Index,
    OtherVersion,
    UnusableIndex,
    names_of,
    open_index,
    packaged_folder,
)
from tests import strategies

if TYPE_CHECKING:
    from portulan.model import Assignment, Executable

NOTHING = tuple(TransportEntry(transport, "unassigned", None, (), ()) for transport in TRANSPORTS)


def small(
    entry: Entry, services: dict[str, tuple[Assignment, ...]], programs: dict[str, tuple[Executable, ...]]
) -> Compiled:
    """Return a registry with one entry among empty ones."""
    runs = [Run(entry.port, entry.port, entry.transports, entry.known_uses)]
    if entry.port > 0:
        runs.insert(0, Run(0, entry.port - 1, NOTHING, ()))
    if entry.port < PORTS - 1:
        runs.append(Run(entry.port + 1, PORTS - 1, NOTHING, ()))
    return Compiled((), tuple(runs), services, programs, {"dns": ("domain", "domain-s")})


# ------------------------------------------------------------------------------------------------------- there and back


@given(entry=strategies.entries, row=strategies.assignments, program=strategies.executables)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_what_is_put_in_comes_out(tmp_path: Path, entry: Entry, row: Assignment, program: Executable) -> None:
    """Any entry, assignment and executable is read as it was written, and its neighbours stay empty."""
    file = tmp_path / INDEX_NAME
    file.write_bytes(encode_index(entry.snapshot, small(entry, {"a-name": (row,)}, {"x:prog": (program, program)})))
    index = Index(str(file))
    assert index.snapshot == entry.snapshot
    assert index.entry(entry.port) == entry
    assert index.services("A-NAME") == (row,)
    assert index.executables("/usr/bin/prog") == (program, program)
    assert index.protocol_services("DNS") == ("domain", "domain-s")
    for port in {max(0, entry.port - 1), min(PORTS - 1, entry.port + 1)} - {entry.port}:
        assert index.entry(port) == Entry(port, tier_of(port), entry.snapshot, NOTHING, ())
    for told in entry.transports:
        assert index.states(told.transport)[entry.port] == ("unassigned", "reserved", "assigned").index(told.state)


# ------------------------------------------------------------------------------------------------------------ look-ups


def test_2528_is_ncr_ccl_by_name_only(index: Index) -> None:
    """2528 is assigned to a name and a person, without date or document; 3CX is reported to dial it."""
    entry = index.entry(2528)
    assert [told.state for told in entry.transports] == ["assigned", "assigned", "unassigned", "unassigned"]
    tcp = entry.on("tcp")
    assert tcp.grade is not None
    assert (tcp.grade.registration, tcp.grade.specification, tcp.grade.implemented_by) == ("name-only", None, ())
    assert tcp.grade.reasons == ("IANA's row has no date", "IANA's row cites no document")
    (row,) = tcp.assignments
    assert (row.service_name, row.aliases, row.ports) == ("ncr-ccl", ("ncr_ccl",), PortRange(2528, 2528))
    assert row.description == 'NCR CCL\nIANA assigned this well-formed service name as a replacement for "ncr_ccl".'
    assert (row.assignee, row.contact) == ("[Amitava_Dutta]", "[Amitava_Dutta]")
    assert row._astuple()[7:] == (None,) * 6
    (use,) = [use for use in entry.known_uses if use.product == "3CX Phone System"]
    assert (use.direction, use.transport, use.protocol, use.relation) == ("connect", "tcp", "smtp", "unofficial")
    assert (use.attestation, use.default) == ("reported", True)


def test_22_is_specified_by_its_rfc(index: Index) -> None:
    """22 cites RFC 4251, and OpenSSH implements it."""
    grade = index.entry(22).on("tcp").grade
    assert grade is not None
    assert grade.registration == "specified"
    assert grade.reasons == ("IANA's row cites RFC 4251",)
    assert "OpenSSH server" in grade.implemented_by


def test_80_keeps_its_three_rows(index: Index) -> None:
    """http, www and www-http stand side by side; the grade is that of the best."""
    tcp = index.entry(80).on("tcp")
    assert [row.service_name for row in tcp.assignments] == ["http", "www", "www-http"]
    assert tcp.grade is not None
    assert tcp.grade.registration == "specified"


@pytest.mark.parametrize(
    ("port", "tier", "states"),
    [
        (6010, "user", ("assigned", "assigned", "unassigned", "unassigned")),  # inside x11
        (25565, "user", ("unassigned",) * 4),  # famous, and inside an "Unassigned" block
        (60000, "dynamic", ("unassigned",) * 4),  # no row at all
        (5436, "user", ("reserved", "assigned", "unassigned", "unassigned")),
        (585, "system", ("unassigned",) * 4),  # De-registered
        (14001, "user", ("assigned", "unassigned", "assigned", "unassigned")),  # sua, de-registered on udp
        (27000, "user", ("assigned", "assigned", "unassigned", "unassigned")),  # flex-lm names no transport
        (27009, "user", ("assigned", "assigned", "unassigned", "unassigned")),
    ],
)
def test_odd_ports_have_their_states(index: Index, port: int, tier: str, states: tuple[str, ...]) -> None:
    """Ranges, blocks, de-registered rows and rows without a transport all have one state per transport."""
    entry = index.entry(port)
    assert entry.tier == tier
    assert tuple(told.state for told in entry.transports) == states


def test_rows_that_assign_nothing_keep_their_notes(index: Index) -> None:
    """585 is unassigned, and IANA's advice is still there."""
    (row,) = index.entry(585).on("tcp").other_rows
    assert row.assignment_notes == "Use of 585 is not recommended, use 993 instead"
    (sua,) = index.entry(14001).on("udp").other_rows
    assert (sua.service_name, sua.description) == ("sua", "De-Registered")


def test_a_range_is_said_in_full(index: Index) -> None:
    """6010 is x11's because x11 has 6000 to 6063; the row says so."""
    (row,) = index.entry(6010).on("tcp").assignments
    assert (row.service_name, row.ports) == ("x11", PortRange(6000, 6063))


@pytest.mark.parametrize(
    ("asked", "service", "ports"),
    [
        ("ssh", "ssh", {22, None}),
        ("SSH", "ssh", {22, None}),
        ("ncr_ccl", "ncr-ccl", {2528}),
        ("NCR-CCL", "ncr-ccl", {2528}),
        ("cl/1", "cl-1", {172}),
        ("EtherNet/IP-1", "EtherNet-IP-1", {2222}),
        ("ethernet-ip-1", "EtherNet-IP-1", {2222}),
        ("1password", "1password", {None}),
    ],
)
def test_a_service_is_found_by_name_and_alias(index: Index, asked: str, service: str, ports: set[int | None]) -> None:
    """Names match in any case, aliases count, names without a port are found."""
    rows = index.services(asked)
    assert {row.service_name for row in rows} == {service}
    assert {row.ports.first if row.ports else None for row in rows} == ports


@pytest.mark.parametrize("name", ["", "no-such-service", "\x00", "s:ssh", "é" * 300, "\ud800", "ss"])
def test_an_unknown_name_is_nothing(index: Index, name: str) -> None:
    """A name that is not there is an empty answer, whatever it is made of."""
    assert index.services(name) == ()
    assert index.protocol_services(name) == ()
    assert index.executables(name) == ()


def test_every_service_name_is_found(index: Index, rows: list[Assignment]) -> None:
    """All names of IANA's are keys, aliases included; only sua's de-registered row stands aside."""
    for name in {row.service_name for row in rows if row.service_name}:
        assert index.services(name), name


@pytest.mark.parametrize(
    ("asked", "product"),
    [
        ("/usr/sbin/nginx", "nginx"),
        ("nginx", "nginx"),
        ("/usr/sbin/php-fpm8.2", "PHP-FPM"),
        ("/usr/sbin/php-fpm8.4", "PHP-FPM"),
        ("/usr/bin/python3.13", "CPython"),
        ("/usr/lib/postgresql/15/bin/postgres", "PostgreSQL"),
        (r"C:\Program Files\3CX Desktop\3cxdesktopapp.EXE", "3CX Desktop App"),
    ],
)
def test_a_program_is_found_by_its_file(index: Index, asked: str, product: str) -> None:
    """The folder does not matter, a version behind the name is dropped, and Windows names match in any case."""
    assert product in {program.product for program in index.executables(asked)}


def test_names_on_linux_keep_their_case(index: Index) -> None:
    """TcxQMsrv is a program of 3CX; tcxqmsrv is not."""
    assert index.executables("TcxQMsrv")
    assert index.executables("tcxqmsrv") == ()


def test_a_program_tells_what_it_serves(index: Index) -> None:
    """The services of a program are IANA's names, from cited uses and from what it is called."""
    assert "ssh" in index.executables("sshd")[0].services
    nginx = [program for program in index.executables("nginx") if program.product == "nginx"]
    assert {"http", "https"} <= set(nginx[0].services)
    assert "postgresql" in index.executables("postgres")[-1].services
    named = index.executables("named")
    assert {"domain"} <= {service for program in named if program.product == "BIND 9" for service in program.services}
    assert "name" not in named[0].services


def test_clients_serve_nothing(index: Index) -> None:
    """A client called after a protocol or a service (ssh, scp, firefox) serves nothing by that name."""
    for name in ("ssh", "scp", "sftp", "firefox-esr", "docker"):
        for program in index.executables(name):
            assert program.services == (), (name, program.product)


def test_a_unit_leads_to_its_programs(index: Index) -> None:
    """A systemd unit is found by its name, an instance under its template."""
    assert {program.product for program in index.executables_of_unit("nginx.service")} == {"nginx"}
    assert index.executables_of_unit("postgresql@15-main.service")
    assert index.executables_of_unit("no-such.service") == ()


def test_the_whole_catalogue_can_be_had(index: Index) -> None:
    """Every program that is found by its name is among all of them, and every protocol among all protocols."""
    programs = index.programs()
    assert {program.system for program in programs} == {"linux", "macos", "windows"}
    for program in programs:
        assert program in index.executables(program.name)
    assert len(programs) == len(set(programs))
    protocols = index.protocols()
    assert protocols["ssh"] == ("ssh",)
    assert all(index.protocol_services(name) == names for name, names in protocols.items())


def test_known_uses_are_in_order(index: Index) -> None:
    """The number itself before pools, documented before reported, default before optional; 8080 has dozens."""
    for port in (2528, 8080, 443, 20000):
        uses = index.entry(port).known_uses
        keys = [
            (use.ports.last - use.ports.first >= 16, use.attestation != "documented", not use.default) for use in uses
        ]
        assert keys == sorted(keys)
    assert len(index.entry(8080).known_uses) >= 48


def test_a_range_agrees_number_by_number(index: Index) -> None:
    """A use over a range is registered where that number is assigned for it, and unofficial beside it."""
    relations = {
        port: {
            use.relation
            for use in index.entry(port).known_uses
            if use.product == "OpenStack Nova" and use.protocol == "vnc"
        }
        for port in (5900, 5950)
    }
    assert relations == {5900: {"registered"}, 5950: {"unofficial"}}


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_number_that_is_no_port_is_refused(index: Index, port: int) -> None:
    """Port numbers end at 65535; the error says so."""
    with pytest.raises(UsageError) as caught:
        index.entry(port)
    assert caught.value.hint == "port numbers go from 0 to 65535"


def test_a_transport_that_is_none_is_refused(index: Index) -> None:
    """There are four transports."""
    with pytest.raises(UsageError):
        index.states("icmp")


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("sshd", ("sshd",)),
        ("python3", ("python3",)),
        ("python3.11", ("python3.11", "python3", "python")),
        ("php-fpm8.2", ("php-fpm8.2", "php-fpm8", "php-fpm")),
        ("postgres-15", ("postgres-15", "postgres")),
        ("foo-1.2.3", ("foo-1.2.3", "foo-1", "foo")),
        ("apache2", ("apache2",)),
        ("libc.so.6", ("libc.so.6",)),
        ("beam.smp", ("beam.smp",)),
        ("8.2", ("8.2", "8", "")),
        ("python3.12.exe", ("python3.12.exe", "python3.exe", "python.exe")),
        ("NGINX-1.EXE", ("NGINX-1.EXE", "NGINX.EXE")),
        ("", ("",)),
    ],
)
def test_a_version_is_dropped_only_where_it_is_one(name: str, names: tuple[str, ...]) -> None:
    """A number behind a dot, hyphen or underscore is a version; one that is part of the name stays."""
    assert names_of(name) == names


def test_file_names_are_taken_from_paths_of_all_systems() -> None:
    r"""A backslash separates only in a path that begins like Windows'; elsewhere it is part of the name."""
    assert base_name("/usr/sbin/sshd") == "sshd"
    assert base_name("C:\\Windows\\System32\\svchost.exe") == "svchost.exe"
    assert base_name(r"\\server\share\tools\nc.exe") == "nc.exe"
    assert base_name("/tmp/a\\b") == "a\\b"  # noqa: S108  # only a text


# ---------------------------------------------------------------------------------------------------------- bad files


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    """Return a copy of the index that may be damaged."""
    file = tmp_path / INDEX_NAME
    file.write_bytes((built / INDEX_NAME).read_bytes())
    return file


@pytest.mark.parametrize(
    "data", [b"", b"PORTULAN", b"\x00" * 4096, b"SQLite format 3\x00" + b"\x00" * 5000, b"<xml/>" * 99]
)
def test_a_foreign_file_is_refused(tmp_path: Path, data: bytes) -> None:
    """An empty, short or foreign file is a RegistryError that names it and says what to do."""
    file = tmp_path / INDEX_NAME
    file.write_bytes(data)
    with pytest.raises(RegistryError) as caught:
        Index(str(file))
    assert str(file) in caught.value.message
    assert caught.value.hint


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """A folder of the index's name is a RegistryError, too."""
    with pytest.raises(RegistryError):
        Index(str(tmp_path))


def test_a_truncated_file_is_refused_wherever_it_ends(copy: Path) -> None:
    """The header knows how long the file is."""
    data = copy.read_bytes()
    for length in [0, 1, HEADER - 1, HEADER, HEADER + 1, 262_272, 524_416, len(data) // 2, len(data) - 1]:
        copy.write_bytes(data[:length])
        with pytest.raises(RegistryError):
            Index(str(copy))
    copy.write_bytes(data + b"\x00")
    with pytest.raises(RegistryError):
        Index(str(copy))


ASKED = (22, 80, 2528, 8080, 60000)


def ask(index: Index, question: int) -> object:
    """Ask for some numbers, some names, or all states."""
    if question == 0:
        return [index.entry(port) for port in ASKED]
    if question == 1:
        return [index.services(name) for name in ("ssh", "ncr_ccl", "postgresql")]
    return index.states("tcp")


def test_a_flipped_bit_is_noticed_or_does_not_matter(copy: Path, index: Index) -> None:
    """With any bit flipped, each question is answered as before or refused: never wrongly, never by a traceback."""
    data = copy.read_bytes()
    chance = random.Random(2528)  # noqa: S311  # not for secrets
    right = [ask(index, asked) for asked in range(3)]
    # Where the header is, where these questions look, and anywhere.
    places = [
        *range(HEADER),
        *[HEADER + 4 * port for port in ASKED],
        *[chance.randrange(len(data)) for _ in range(400)],
    ]
    refused = 0
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 1 << chance.randrange(8)
        copy.write_bytes(damaged)
        try:
            opened = Index(str(copy))
        except RegistryError:
            refused += 1
            continue
        for asked, answer in enumerate(right):
            try:
                assert ask(opened, asked) == answer, place
            except RegistryError:
                refused += 1
    assert refused >= HEADER - 8  # every byte of the header counts but for the magic's own error


@given(data=st.binary(max_size=600))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_header_over_rubbish_is_refused(tmp_path: Path, built: Path, data: bytes) -> None:
    """A right header over anything else gives no answer."""
    file = tmp_path / INDEX_NAME
    header = (built / INDEX_NAME).read_bytes()[:HEADER]
    file.write_bytes(header + data)
    with pytest.raises(RegistryError):
        Index(str(file)).entry(2528)


# ---------------------------------------------------------------------------------------------------------- which file


def test_the_packaged_index_is_of_these_facts(built: Path) -> None:
    """The index beside the source is what the facts give; if not, build it: python -m portulan.registry.build."""
    assert Path(packaged_folder(), INDEX_NAME).read_bytes() == (built / INDEX_NAME).read_bytes()


def test_without_anything_of_the_users_the_packaged_index_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No data folder, an empty one, a file in its place or no home at all: the packaged index it is."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    for folder in (tmp_path, tmp_path / "none", Path(os.devnull)):
        monkeypatch.setenv("PORTULAN_DATA", str(folder))
        assert open_index().path.startswith(packaged_folder())
    monkeypatch.delenv("PORTULAN_DATA")
    for home in ("/nonexistent", ""):
        monkeypatch.setenv("HOME", home)
        assert open_index().path.startswith(packaged_folder())


def test_a_damaged_index_of_the_users_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A truncated index in the data folder is passed over for the packaged one, which tells of it and what to do."""
    (tmp_path / INDEX_NAME).write_bytes(b"PORTULAN" + bytes(20))
    monkeypatch.setenv("PORTULAN_DATA", str(tmp_path))
    index = open_index()
    assert index.path.startswith(packaged_folder())
    assert isinstance(index.ignored, UnusableIndex)
    assert str(tmp_path / INDEX_NAME) in index.ignored.message
    assert index.ignored.hint == f"remove {tmp_path / INDEX_NAME}, or: portulan registry update FILE|URL"


def test_an_index_of_another_version_is_passed_over(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another version of Portulan wrote is no damage, and the reason is told."""
    data = bytearray(copy.read_bytes())
    data[8:12] = (VERSION + 1).to_bytes(4, "little")
    (tmp_path / INDEX_NAME).write_bytes(data)
    monkeypatch.setenv("PORTULAN_DATA", str(tmp_path))
    index = open_index()
    assert index.path.startswith(packaged_folder())
    assert isinstance(index.ignored, OtherVersion)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_an_index_of_somebody_else_is_passed_over(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root with another user's HOME does not believe that user's index, and tells so; in PORTULAN_DATA it does."""
    folder = tmp_path / ".local" / "share" / "portulan"
    folder.mkdir(parents=True)
    (folder / INDEX_NAME).write_bytes(copy.read_bytes()[:-1])
    os.chown(folder / INDEX_NAME, 12345, 12345)
    monkeypatch.delenv("PORTULAN_DATA", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (told := open_index().ignored) is not None
    assert told.message == f"{folder / INDEX_NAME} belongs to somebody else"
    monkeypatch.setenv("PORTULAN_DATA", str(folder))
    assert isinstance(open_index().ignored, UnusableIndex)


def test_a_relative_data_folder_needs_a_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the working folder is gone, a relative PORTULAN_DATA is an error that says so."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("PORTULAN_DATA", "relative")
    with pytest.raises(RegistryError, match="working folder") as caught:
        open_index()
    assert "PORTULAN_DATA" in (caught.value.hint or "")
