"""Nmap's XML and grepable output: what answered, and what nmap asked it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.answer import open_map
from portulan.judging import Judging, Veil
from portulan.observe.readers import nmap_grepable, nmap_xml
from portulan.observe.readers.source import Bad, Source
from tests.observe.readers.feed import DATA, damaged, read, recognised, survives

if TYPE_CHECKING:
    from portulan.model import Observation
    from portulan.observe.readers import Reader

HTTP = ("http", "http-alt", "www", "www-http")
ROOT = '<nmaprun scanner="nmap" start="1795579643">'


def host(*ports: str, more: str = "") -> str:
    """Return a host's element with some ports."""
    address = '<address addr="02:00:00:00:00:01" addrtype="mac"/><address addr="192.0.2.2" addrtype="ipv4"/>'
    return f"<host>{address}{more}<ports>{''.join(ports)}</ports></host>"


def port(number: str, service: str = "", *, state: str = "open", protocol: str = "tcp") -> str:
    """Return a port's element."""
    return f'<port protocol="{protocol}" portid="{number}"><state state="{state}"/>{service}</port>'


def told(observations: list[Observation]) -> list[tuple[object, ...]]:
    """Return of each observation its number and what was identified."""
    return [
        (seen.local.port, *((what.layers, what.product, what.version, what.service_names) if what else ()))
        for seen in observations
        if (what := seen.identification) or True
    ]


def test_versions_that_were_probed_are_identifications() -> None:
    """A probed service is what answers: protocol, layers, product and version; one from the table of names is not."""
    form, observations, bad = recognised("nmap/versions.xml")
    assert (form, bad) == ("nmap-xml", [])
    assert told(observations) == [
        (80, ("tcp", "http"), "nginx", "1.22.1", HTTP),
        (2222, ("tcp", "ssh"), "OpenSSH", "9.2p1 Debian 2+deb12u10", ("ssh",)),
        (2528, ("tcp", "smtp"), "Postfix smtpd", None, ("smtp", "submission")),
        (4443, ("tcp", "tls", "http"), "nginx", "1.22.1", ("https",)),
        (8080, ("tcp", "http"), "SimpleHTTPServer", "0.6", HTTP),
        (9999,),
    ]
    ssh = observations[1]
    assert (ssh.host, ssh.local.address, ssh.transport, ssh.direction) == ("127.0.0.1", "127.0.0.1", "tcp", "listen")
    assert ssh.observed_at == datetime(2026, 11, 25, 4, 7, 35, tzinfo=UTC)
    assert (ssh.perspective, ssh.processes, ssh.processes_missing) == ("imported", (), "not recorded")
    assert (ssh.unit, ssh.socket_state, ssh.inode, ssh.reachable_from) == (None, None, None, None)
    assert ssh.identification is not None
    assert (ssh.identification.confidence, ssh.identification.cost, ssh.identification.tls) == (1.0, None, None)
    assert ssh.identification.reasons == ("nmap probed it", "protocol 2.0")


def test_grepable_output_tells_the_same_of_one_scan() -> None:
    """Of one scan both outputs have the same sockets and protocols; the grepable one has product and version in one."""
    form, grepable, bad = recognised("nmap/versions.gnmap")
    assert (form, bad) == ("nmap-grepable", [])
    _, xml, _ = recognised("nmap/versions.xml")
    assert [(seen.local, seen.host) for seen in grepable] == [(seen.local, seen.host) for seen in xml]
    assert told(grepable) == [
        (80, ("tcp", "http"), "nginx 1.22.1", None, HTTP),
        (2222, ("tcp", "ssh"), "OpenSSH 9.2p1 Debian 2+deb12u10 (protocol 2.0)", None, ("ssh",)),
        (2528, ("tcp", "smtp"), "Postfix smtpd", None, ("smtp", "submission")),
        (4443, ("tcp", "tls", "http"), "nginx 1.22.1", None, ("https",)),
        (8080, ("tcp", "http"), "SimpleHTTPServer 0.6 (Python 3.11.7)", None, HTTP),
        (9999,),
    ]


@pytest.mark.parametrize("name", ["nmap/ports.xml", "nmap/ports.gnmap"])
def test_without_probes_nothing_is_identified(name: str) -> None:
    """The name in nmap's table is what the number is called, never what answers; closed ports are nobody's."""
    _, observations, bad = recognised(name)
    assert not bad
    assert told(observations) == [(80,), (2222,), (2528,)]


@pytest.mark.parametrize("name", ["nmap/silence.xml", "nmap/silence.gnmap"])
def test_silence_is_no_listener(name: str) -> None:
    """`open|filtered` is that nobody answered, which is no observation."""
    _, observations, bad = recognised(name)
    assert (observations, bad) == ([], [])


@pytest.mark.parametrize("name", ["nmap/named.xml", "nmap/named.gnmap"])
def test_a_host_is_called_by_its_name(name: str) -> None:
    """The host's name comes before its address; one that only closes connections speaks no protocol that was seen."""
    _, observations, _ = recognised(name)
    assert [seen.host for seen in observations] == ["localhost", "localhost"]
    closing = observations[1].identification
    assert closing is not None
    assert (closing.protocol, closing.layers, closing.behaviour, closing.confidence) == (None, ("tcp",), "closes", 0.8)


@pytest.mark.parametrize("name", ["nmap/ipv6.xml", "nmap/ipv6.gnmap"])
def test_ipv6_addresses(name: str) -> None:
    """An IPv6 host has its address in canonical form."""
    _, observations, _ = recognised(name)
    assert [(seen.local.address, seen.local.port, seen.network_type) for seen in observations] == [
        ("::1", 2222, "ipv6")
    ]


def test_masscan_writes_the_same_xml() -> None:
    """Masscan's XML is read too: a port and its banners, which are elements far apart, are one observation."""
    form, observations, bad = recognised("masscan/banners.xml")
    assert (form, bad) == ("nmap-xml", [])
    assert {seen.local.port: seen.identification and seen.identification.protocol for seen in observations} == {
        22: "ssh",
        80: "http",
        443: None,
        2528: "smtp",
        8080: "http",
        9999: None,
    }


@pytest.mark.parametrize(
    ("doctype", "refused"),
    [
        ("<!DOCTYPE nmaprun>", False),
        ('<!DOCTYPE nmaprun SYSTEM "https://svn.example/nmap.dtd">', False),
        ('<!DOCTYPE nmaprun [<!ENTITY a "b">]>', True),
        ('<!DOCTYPE nmaprun [<!ENTITY a SYSTEM "file:///etc/passwd">]>', True),
        ('<!DOCTYPE nmaprun [<!ENTITY % a SYSTEM "http://192.0.2.1/"> %a;]>', True),
        ("<!DOCTYPE nmaprun [ ]>", True),
    ],
)
def test_a_document_type_with_declarations_is_refused(doctype: str, *, refused: bool) -> None:
    """A file that declares something of its own is refused before its first element, and nothing is fetched."""
    observations, bad = read(nmap_xml, f'<?xml version="1.0"?>\n{doctype}\n{ROOT}{host(port("22"))}</nmaprun>')
    assert [one.why for one in bad] == (
        ["the rest is not read: a document type with declarations of its own"] if refused else []
    )
    assert len(observations) == (0 if refused else 1)


def test_a_scan_that_was_interrupted() -> None:
    """Of a file that ends within the scan all that is complete is read, and its end is a bad record."""
    whole = (DATA / "nmap" / "versions.xml").read_bytes()
    observations, bad = read(nmap_xml, whole[: whole.index(b'portid="4443"')])
    assert [seen.local.port for seen in observations] == [80, 2222, 2528]
    assert [(one.line, one.why) for one in bad] == [(17, "the rest is not read: unclosed token")]


@pytest.mark.parametrize(
    ("element", "why"),
    [
        (port("70000"), "'70000' is not a port number"),
        (port("22", '<service name="ssh" method="probed" conf="11"/>'), "'11' is not a confidence from 0 to 10"),
    ],
)
def test_a_bad_port_costs_itself_alone(element: str, why: str) -> None:
    """A port that cannot be read is a bad record on its line; those before and after it are read."""
    observations, bad = read(nmap_xml, f"{ROOT}\n{host(port('1'), element, port('2'))}</nmaprun>")
    assert [seen.local.port for seen in observations] == [1, 2]
    assert bad == [Bad(2, why)]


@pytest.mark.parametrize(
    ("name", "protocol", "service_names"),
    [
        ("ms-wbt-server", "rdp", ("ms-wbt-server",)),
        ("microsoft-ds", "smb", ("microsoft-ds", "netbios-ssn")),
        ("http-proxy", "http", HTTP),
        ("domain", "dns", ("domain",)),
        ("rpcbind", "sunrpc", ("sunrpc",)),
        ("vnc", "vnc", ("rfb",)),
        ("something-else", "something-else", ()),
        ("unknown", None, ()),
    ],
)
def test_names_of_protocols(name: str, protocol: str | None, service_names: tuple[str, ...]) -> None:
    """What nmap calls a protocol becomes the catalogue's name of it, and the service names are IANA's."""
    service = f'<service name="{name}" method="probed" conf="10"/>'
    observations, _ = read(nmap_xml, ROOT + host(port("4000", service)) + "</nmaprun>")
    found = observations[0].identification
    assert found is not None
    assert (found.protocol, found.service_names) == (protocol, service_names)


def test_other_transports() -> None:
    """UDP and SCTP ports are read; protocols of the Internet layer (`-sO`) have no ports and are passed over."""
    ports = [port("53", protocol="udp"), port("3868", protocol="sctp"), port("6", protocol="ip")]
    observations, bad = read(nmap_xml, ROOT + host(*ports) + "</nmaprun>")
    assert [(seen.transport, seen.local.port) for seen in observations] == [("udp", 53), ("sctp", 3868)]
    assert not bad


def test_a_tag_without_an_end_is_not_held() -> None:
    """A tag longer than any that nmap writes ends the reading: nothing grows with the file."""
    read_of_it = 0

    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            nonlocal read_of_it
            assert isinstance(buffer, memoryview | bytearray)
            buffer[:] = (b"<nmaprun a='" if not read_of_it else b"").ljust(len(buffer), b"a")
            read_of_it += len(buffer)
            assert read_of_it < 4 * nmap_xml.LARGEST
            return len(buffer)

    bad = list(nmap_xml.read(Source(io.BufferedReader(Endless()), "endless")))
    assert [one.why for one in bad if isinstance(one, Bad)] == [
        "the rest is not read: a tag of more than 8,388,608 bytes"
    ]


def test_commas_within_a_version() -> None:
    """In grepable output the text of a version may hold commas and parentheses; slashes nmap replaces."""
    ports = "22/open/tcp//ssh//OpenSSH 9 (Ubuntu, protocol 2.0)/, 80/open/tcp//http///"
    comment = "# Nmap 7.93 scan initiated X as: nmap -A -oG - a.example"
    observations, bad = read(nmap_grepable, f"{comment}\nHost: 192.0.2.2 (a.example)\tPorts: {ports}\tOS: x\n")
    assert not bad
    assert told(observations) == [
        (22, ("tcp", "ssh"), "OpenSSH 9 (Ubuntu, protocol 2.0)", None, ("ssh",)),
        (80, ("tcp", "http"), None, None, HTTP),
    ]


def test_a_damaged_line_of_grepable_output() -> None:
    """A line that cannot be read is bad with its number, and the next is read."""
    good = "Host: 192.0.2.2 ()\tPorts: 22/open/tcp//ssh///\n"
    observations, bad = read(nmap_grepable, f"{good}nonsense\nHost: 192.0.2.2 ()\tPorts: nonsense\n\r\n{good}")
    assert [seen.local.port for seen in observations] == [22, 22]
    assert bad == [Bad(2, "no line of a host"), Bad(3, "'nonsense' is not a port")]


def test_verdicts_name_who_asked() -> None:
    """A verdict on what nmap found rests on nmap, and no statement says that Portulan looked at that machine."""
    judge = Judging(open_map(), Veil(with_command_lines=False))
    verdicts = {seen.local.port: judge(seen) for seen in recognised("nmap/versions.xml")[1]}
    assert {port: (verdict.judgement, verdict.rule) for port, verdict in verdicts.items()} == {
        80: ("registered", "PT102"),
        2222: ("known-unofficial", "PT114"),
        2528: ("elsewhere", "PT118"),
        4443: ("known-unofficial", "PT114"),
        8080: ("registered", "PT102"),
        9999: ("unknown", "PT111"),
    }
    decided = next(item for item in verdicts[2528].because if item.weight == "decides")
    assert (decided.statement, decided.source) == ("what answered there spoke smtp (Postfix smtpd)", "nmap probed it")
    assert verdicts[2528].squats_on == "ncr-ccl"
    inside = next(item for item in verdicts[4443].because if item.weight == "decides")
    assert inside.statement == "what answered there spoke http inside TLS (nginx)"
    sources = {item.source for verdict in verdicts.values() for item in verdict.because}
    assert not [source for source in sources if source.startswith("/proc") or source == "sock_diag"]


@given(damaged("nmap/versions.xml", "nmap/named.xml", "masscan/banners.xml"))
def test_xml_of_any_bytes(data: bytes) -> None:
    """Whatever a file holds, reading it as XML never fails."""
    survives(nmap_xml, data)


@given(damaged("nmap/versions.gnmap", "nmap/named.gnmap", "masscan/banners.gnmap"))
def test_grepable_output_of_any_bytes(data: bytes) -> None:
    """Whatever a file holds, reading it as grepable output never fails."""
    survives(nmap_grepable, data)


@pytest.mark.parametrize("reader", [nmap_xml, nmap_grepable])
def test_an_empty_file_has_nothing(reader: Reader) -> None:
    """An empty file has no observations."""
    assert read(reader, b"")[0] == []
