"""Units of systemd's sockets."""

from __future__ import annotations

from textwrap import dedent

import pytest

from portulan.observe.declared import systemd_socket
from portulan.observe.readers.source import open_source
from tests.observe.declared.corpus import CORPUS
from tests.observe.declared.reading import found_in


def found(*lines: str, name: str = "web.socket") -> list[str]:
    """Read the section [Socket] of a unit, whose first line is 2."""
    return found_in(systemd_socket, "\n".join(["[Socket]", *lines, ""]), name)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ListenStream=8080", "2 published 8080"),
        ("ListenStream = 127.0.0.1:8080 ", "2 published 8080 on 127.0.0.1"),
        ("ListenStream=[::1]:8080", "2 published 8080 on ::1"),
        ("ListenStream=[fe80::1]:8080%eth0", "2 published 8080 on fe80::1"),
        ("ListenDatagram=53\r", "2 published 53/udp"),
        ("ListenSequentialPacket=9000", "2 published 9000/sctp"),
    ],
)
def test_a_port_in_each_form(line: str, expected: str) -> None:
    """A number alone, and one behind an IPv4 address or an IPv6 address in brackets, is a port of its kind."""
    assert found(line) == [expected]


@pytest.mark.parametrize(
    "line",
    [
        "ListenStream=/run/web.sock",
        "ListenStream=@abstract",
        "ListenStream=vsock:2:1234",
        "ListenStream=%t/web.sock",
        "ListenStream=%i",
        "ListenSequentialPacket=/run/seq",
        "ListenFIFO=/run/8080",
        "ListenNetlink=kobject-uevent 1",
        "# ListenStream=8080",
        "; ListenStream=8080",
        "Backlog=128",
        "MaxConnections=64",
    ],
)
def test_what_is_no_port_is_quiet(line: str) -> None:
    """Paths, names, vsock, FIFOs, specifiers, comments and counts are no ports, and nothing bad either."""
    assert found(line) == []


def test_an_empty_assignment_forgets_what_stands_before() -> None:
    """Of 2222, nothing, 2022 only the last is in force; an empty line of another kind forgets as well."""
    assert found("ListenStream=2222", "ListenStream=", "ListenStream=2022") == ["4 published 2022"]
    assert found("ListenStream=2222", "ListenFIFO=") == []


def test_the_line_is_that_of_the_number() -> None:
    """A value that goes on stands on the line of the number; a comment between does not end it."""
    assert found("ListenStream=\\", "# why", "  7777") == ["4 published 7777"]


def test_other_sections_and_protocols() -> None:
    """Only [Socket] counts; SCTP is told by the protocol, and UDP-Lite has no ports of ours."""
    assert found_in(systemd_socket, "[Unit]\nListenStream=1\n[Socket]\nListenStream=2\n", "a.socket") == [
        "4 published 2"
    ]
    assert found("ListenStream=8080", "SocketProtocol=sctp") == ["2 published 8080/sctp"]
    assert found("ListenDatagram=8080", "SocketProtocol=udplite") == []


def test_what_is_no_address_is_bad() -> None:
    """A number that is no port is told with its line, and the others are read."""
    assert found("ListenStream=99999", "ListenStream=80") == ["2 bad", "3 published 80"]


def test_the_unit_is_told_by_the_name() -> None:
    """A drop-in file belongs to the unit of its folder, and interfaces are kept."""
    source = next(path for path in CORPUS.rglob("*.conf") if path.parent.name.endswith(".socket.d"))
    with open_source(str(source)) as opened:
        assert systemd_socket.recognise(opened.head, opened.name)
        assert {getattr(one, "unit", None) for one in systemd_socket.read(opened)} == {source.parent.name[:-2]}


def test_a_file_is_told_by_name_and_section() -> None:
    """A .socket file without the section, and a unit of another kind, are not recognised."""
    unit = dedent("""\
        [Unit]
        Description=x
        [Socket]
        ListenStream=80
    """)
    assert systemd_socket.recognise(unit, "etc/web.socket")
    assert systemd_socket.recognise(unit, "etc/web.socket.d/port.conf")
    assert not systemd_socket.recognise(unit, "etc/web.service")
    assert not systemd_socket.recognise("\x7fELF", "web.socket")
