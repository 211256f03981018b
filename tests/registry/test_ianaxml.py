"""IANA's XML: the same rows as the CSV, and nothing that XML can be misused for."""

from __future__ import annotations

import pytest

from portulan.errors import RegistryError
from portulan.model import PortRange
from portulan.registry.ianaxml import parse_xml

HEAD = """<?xml version='1.0' encoding='UTF-8'?>
<?xml-stylesheet type="text/xsl" href="service-names-port-numbers.xsl"?>
<registry xmlns="http://www.iana.org/assignments" id="service-names-port-numbers">
  <title>Service Name and Transport Protocol Port Number Registry</title>
  <updated>2019-12-20</updated>
  <xref type="rfc" data="rfc6335"/>
  <note>
Service names are assigned as documented in <xref type="rfc" data="rfc6335"/>.</note>
"""
TAIL = """
  <people>
    <person id="Mark_Lottor"><name>Mark Lottor</name><updated>2099-01-01</updated></person>
  </people>
</registry>
"""


def registry(*records: str) -> bytes:
    """Return a registry with some records."""
    return (HEAD + "\n".join(records) + TAIL).encode()


def test_a_record_is_a_row() -> None:
    """Each element and attribute of a record is the column of the CSV that it should be."""
    rows, updated = parse_xml(
        registry(
            """<record date="2005-08" updated="2019-12-12">
    <name>ncr-ccl</name>
    <protocol>tcp</protocol>
    <assignee>
      <xref type="person" data="ConnectShip_Inc"/>
    </assignee>
    <description>NCR CCL<br/><br/>
IANA assigned this well-formed service name as a replacement for "ncr_ccl".</description>
    <number>6000-6063</number>
    <xref type="person" data="Robert_Kinyon"/>
    <xref type="rfc" data="rfc4251"/>
    <xref type="text">ISO 9506</xref>
    <sc>1145656131</sc>
    <unauthorized>see <xref type="rfc" data="rfc4146"/> for details</unauthorized>
    <note>Defined TXT keys:<br/>
  u=&lt;username&gt;</note>
  </record>"""
        )
    )
    assert updated == "2019-12-20"
    (row,) = rows
    assert row._astuple() == (
        "ncr-ccl",
        (),
        PortRange(6000, 6063),
        "tcp",
        'NCR CCL\nIANA assigned this well-formed service name as a replacement for "ncr_ccl".',
        "[ConnectShip_Inc]",
        "[Robert_Kinyon]",
        "2005-08",
        "2019-12-12",
        "[RFC4251][ISO 9506]",
        "1145656131",
        "see [RFC4146] for details",
        "Defined TXT keys:\nu=<username>",
    )


def test_a_contact_without_an_assignee_is_both() -> None:
    """The CSV repeats the person of such a record in both columns."""
    (row,), _ = parse_xml(
        registry('<record><name>a</name><xref type="person" data="Mark_Lottor"/><number>1</number></record>')
    )
    assert (row.assignee, row.contact) == ("[Mark_Lottor]", "[Mark_Lottor]")


def test_empty_elements_are_empty_columns() -> None:
    """A record needs neither name nor transport nor anything else."""
    (row,), _ = parse_xml(registry("<record><description>Unassigned</description><number>4</number></record>"))
    assert row._astuple() == (None, (), PortRange(4, 4), None, "Unassigned", *[None] * 8)


def test_what_is_no_part_of_a_row_has_no_limit() -> None:
    """White space between elements, and what is not asked for, may be as long as it likes."""
    (row,), updated = parse_xml(
        registry("<record><number>1</number>" + " <!-- --> " * 70_000 + "</record>", " " * 70_000)
    )
    assert (row.ports, updated) == (PortRange(1, 1), "2019-12-20")


BOMB = """<?xml version="1.0"?>
<!DOCTYPE registry [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<registry xmlns="http://www.iana.org/assignments" id="service-names-port-numbers"><title>&b;</title></registry>"""
OUTSIDE = """<?xml version="1.0"?>
<!DOCTYPE registry SYSTEM "file:///etc/passwd">
<registry xmlns="http://www.iana.org/assignments" id="service-names-port-numbers"/>"""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (BOMB.encode(), "declares a document type"),
        (OUTSIDE.encode(), "declares a document type"),
        (BOMB.encode("utf-16"), "declares a document type"),
        (b"<registry>", "outermost element"),
        (b"<html></html>", "outermost element is 'html'"),
        (b'<registry xmlns="http://www.iana.org/assignments" id="protocol-numbers"/>', "outermost element"),
        (registry("<record><number>70000</number></record>"), "port '70000'"),
        (registry("<record><number>1</number><protocol>icmp</protocol></record>"), "transport 'icmp'"),
        (registry("<record>" + "<a>" * 30 + "</a>" * 30 + "</record>"), "nested too deeply"),
        (registry("<record><note>" + "x" * 200_000 + "</note></record>"), "'note' is too long"),
        (registry("<record><note>" + "a<br/>" * 40_000 + "</note></record>"), "'note' is too long"),
        (
            registry("<record>" + f'<xref type="text">{"x" * 1000}</xref>' * 200 + "</record>"),
            "'Reference' is too long",
        ),
        (registry(f'<record><unauthorized><xref data="{"x" * 70_000}"/></unauthorized></record>'), "is too long"),
        (registry('<record date="2020&#13;-01"/>'), "has a control character"),
        (registry('<record updated="2020"/>'), "has the date '2020'"),
        (registry('<record><xref type="person" data="a&#13;b"/></record>'), "has a control character"),
        (registry("<record>")[:-60], "line"),
        (registry("<record>&undeclared;</record>"), "undefined entity"),
        (b"", "no element found"),
        (b"\xff\xfe\x00", ""),
    ],
)
def test_what_is_not_ianas_is_refused(data: bytes, why: str) -> None:
    """Document types, other registries, odd values and broken markup are a RegistryError that says why."""
    with pytest.raises(RegistryError) as caught:
        parse_xml(data)
    assert why in caught.value.message
    assert caught.value.hint is not None
    assert ".xml" in caught.value.hint
