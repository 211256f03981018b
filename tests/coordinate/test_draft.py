"""A draft of IANA's application: what it holds, and what speaks against it, by the registry that is shipped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.coordinate.application import FORM, QUESTIONS, Application, numbers_of
from portulan.coordinate.draft import draft
from portulan.coordinate.draftlints import lint
from portulan.coordinate.draftnumbers import PRIVATE_CODES
from portulan.coordinate.servicenames import faults_of_name, names_of, variant_of, well_formed
from portulan.model import TRANSPORTS, Assignment, Entry, PortRange, TransportEntry, replace, tier_of
from portulan.registry.build import IANA
from portulan.registry.iana import alias_of, collapse_aliases, parse_csv
from portulan.registry.index import Index, packaged_folder

if TYPE_CHECKING:
    from portulan.coordinate.draft import Draft

MALFORMED = 185
"""Rows of the registry of 2026-02 whose names break the syntax: legacy names, all but one with a well-formed twin."""

SOUND = Application(
    "shopd",
    ("tcp",),
    ("user",),
    "Example Shops Inc. <ports@shops.example>",
    "Ada Example <ada@shops.example>",
    "Inventory of shops",
    "Binary messages over TLS, of which each has a length; no broadcast, multicast or anycast. https://shops.example/spec",
    answers={"dynamic": "Shops find each other without DNS, by address alone.", "security": "TLS 1.3 from the start"},
)
"""An application that nothing speaks against; of what follows each changes a thing or two."""


@cache
def rows() -> list[Assignment]:
    """Return IANA's rows of 2026-02."""
    return parse_csv((IANA / "2026-02.csv").read_bytes())


@cache
def index() -> Index:
    """Return the index of the same rows."""
    return Index(f"{packaged_folder()}/registry.idx")


def drafted(**changes: Any) -> Draft:  # noqa: ANN401  # whatever a field may hold
    """Return the draft of the sound application with some fields changed."""
    application = replace(SOUND, **changes)
    wanted = [port for port in numbers_of(application) if tier_of(port) != "dynamic"]
    return draft(application, collapse_aliases(rows()), {port: index().entry(port) for port in wanted})


def found(**changes: Any) -> dict[str, str]:  # noqa: ANN401  # as above
    """Return what speaks against it, with the outcome of each."""
    return {told.rule: told.outcome for told in drafted(**changes).lints}


def entry_of(port: int, **on: TransportEntry) -> Entry:
    """Return an entry of a number that is unassigned but for some transports."""
    transports = [on.get(each) or TransportEntry(each, "unassigned", None, (), ()) for each in TRANSPORTS]
    return Entry(port, tier_of(port), "2026-02", tuple(transports), ())


# -------------------------------------------------------------------------------------------------------------- names


def test_the_syntax_finds_the_malformed_rows_of_the_registry_and_no_other() -> None:
    """Of IANA's 14,499 rows exactly 185 break RFC 6335, section 5.1: those that became aliases, and edi_service."""
    broken = [row for row in rows() if row.service_name and faults_of_name(row.service_name)]
    assert len(broken) == MALFORMED
    assert {row.service_name for row in broken if alias_of(row) is None} == {"edi_service"}
    aliased = [row for row in rows() if alias_of(row)]
    assert [row for row in aliased if row not in broken] == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "has 0 characters"),
        ("abcdefghijklmnop", "has 16 characters"),
        ("ncr_ccl", "other characters"),
        ("whois++", "other characters"),
        ("caf\u00e9", "other characters"),
        ("\uff41bc", "other characters"),
        ("shop\n", "other characters"),
        ("6000-6063", "has no letter"),
        ("-shop", "begins or ends"),
        ("shop-", "begins or ends"),
        ("shop--d", "two hyphens"),
    ],
)
def test_each_rule_of_the_syntax_is_told(name: str, fault: str) -> None:
    """A name that breaks a rule of RFC 6335, section 5.1, is refused, with the rule that it breaks."""
    assert any(fault in told for told in faults_of_name(name))
    lints = drafted(name=name).lints
    assert {(told.outcome, told.source) for told in lints if told.rule == "name-syntax"} == {
        ("refused", "RFC 6335, section 5.1")
    }


@pytest.mark.parametrize("name", ["a", "ssh", "9p", "z39-50", "X-y-9", "abcdefghijklmno"])
def test_a_well_formed_name_breaks_no_rule(name: str) -> None:
    """One letter is enough, fifteen characters are not too many, digits may come first and case is free."""
    assert faults_of_name(name) == ()


@given(st.text(max_size=40))
def test_what_is_proposed_is_well_formed(name: str) -> None:
    """The name that is proposed instead of a malformed one breaks no rule, or there is none."""
    better = well_formed(name)
    assert better is None or faults_of_name(better) == ()


def test_the_names_of_the_table_become_what_iana_made_of_them() -> None:
    """IANA's malformed names become what it made of them (RFC 6335, section 10.1), but for whois++."""
    pairs = {(row.service_name, alias_of(row)) for row in rows() if alias_of(row)}
    assert {(name, twin) for name, twin in pairs if name and well_formed(name) != twin} == {("whois++", "whoispp")}


@pytest.mark.parametrize("name", ["ssh", "SSH", "ncr_ccl", "ncr-ccl", "www"])
def test_a_name_that_is_assigned_is_refused(name: str) -> None:
    """A name or an alias of the registry is not given again, in whatever case."""
    assert found(name=name)["name-taken"] == "refused"


@pytest.mark.parametrize("name", ["flex-l-m", "s-s-h", "ncrccl"])
def test_a_name_that_differs_by_hyphens_only_is_asked_about(name: str) -> None:
    """The syntax allows it, and people would confuse the two."""
    assert found(name=name)["name-similar"] == "asked"


def test_another_transport_of_an_assigned_name_is_no_duplicate() -> None:
    """Who has a name may apply for it and its number over another transport; the assignee has a say."""
    only_tcp = next(
        row
        for row in rows()
        if row.transport == "tcp"
        and row.ports
        and row.ports.first == row.ports.last
        and tier_of(row.ports.first) == "user"
        and row.service_name
        and sum(other.service_name == row.service_name for other in rows()) == 1
        and {on.state for on in index().entry(row.ports.first).transports[1:]} <= {"reserved", "unassigned"}
    )
    assert only_tcp.ports
    added = found(name=only_tcp.service_name, transports=("sctp",), ports=(only_tcp.ports.first,))
    assert added["transport-added"] == "asked"
    assert not {"name-taken", "port-assigned", "port-reserved"} & set(added)
    assert found(name=only_tcp.service_name, transports=("tcp",), ports=(only_tcp.ports.first,))["name-taken"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mqtt-tls", ("secured", "mqtt")),
        ("shoptls", ("secured", "shop")),
        ("secure-mqtt", ("secured", "mqtt")),
        ("coaps", ("secured-perhaps", "coap")),
        ("mqtt-v5", ("numbered", "mqtt")),
        ("mqtt2", ("numbered", "mqtt")),
        ("shop-v2", ("numbered", "shop")),
        ("shop2", None),
        ("shops", None),
        ("h2", None),
        ("dhcp-ipv6", None),
        ("tls", None),
    ],
)
def test_a_variant_is_known_by_its_name(name: str, expected: tuple[str, str] | None) -> None:
    """TLS, a version or a number in a name tells of another service; a bare number or `s` only where that is known."""
    assert variant_of(name, {"mqtt", "coap", "h"}) == expected


def test_a_port_for_tls_or_for_a_version_is_refused() -> None:
    """A second port for a registered service with TLS, or for a version of it, is refused; of the IETF it is asked."""
    assert found(name="mqtt-tls")["second-for-tls"] == "refused"
    assert found(name="mqtt-v5")["variant"] == "refused"
    assert found(name="mqtt-tls", ports=())["second-for-tls"] == "asked"
    assert found(name="mqtt-tls", reference="RFC 9999, multicast is not used")["second-for-tls"] == "asked"
    assert found(name="mqtt-tls", reference="Frames over TLS (RFC 8446), no multicast")["second-for-tls"] == "refused"
    assert found(name="shop-tls")["second-for-tls"] == "asked"


@pytest.mark.parametrize("name", ["shop-service", "shopprotocol", "shop-port"])
def test_a_word_that_says_nothing_is_left_out(name: str) -> None:
    """Everything in the registry is a service, a protocol and a port."""
    assert found(name=name)["name-redundant"] == "advised"


# -------------------------------------------------------------------------------------------------------------- ports


@pytest.mark.parametrize(
    ("port", "rule"),
    [
        (2528, "port-assigned"),
        (6010, "port-assigned"),
        (1024, "port-reserved"),
        (0, "port-reserved"),
        (49152, "port-dynamic"),
        (65535, "port-dynamic"),
        (4, "port-system"),
    ],
)
def test_a_number_that_cannot_be_had_is_refused(port: int, rule: str) -> None:
    """What is assigned (by a range too), reserved, dynamic or a System Port is refused."""
    assert found(ports=(port,))[rule] == "refused"


def test_the_neighbours_of_an_assignment_are_kept_for_it() -> None:
    """What is assigned over one transport is not given to somebody else over another (RFC 6335, section 8.1)."""
    held = entry_of(15873, udp=TransportEntry("udp", "assigned", None, tuple(names_of(rows())["ntp"][:1]), ()))
    lints = draft(replace(SOUND, ports=(15873,)), rows(), {15873: held}).lints
    assert [(told.rule, told.outcome) for told in lints] == [("port-assigned", "refused")]
    assert "the other transports are kept" in lints[0].statement


def test_a_number_of_ones_own_can_be_somebody_elses_over_another_transport() -> None:
    """A further transport for a name is not given where its number is assigned over that to another."""
    ntp, ssh = (tuple(names_of(rows())[name][:1]) for name in ("ntp", "ssh"))
    held = entry_of(
        22,
        tcp=TransportEntry("tcp", "assigned", None, ssh, ()),
        udp=TransportEntry("udp", "assigned", None, ntp, ()),
    )
    only_ssh = [row for row in names_of(rows())["ssh"] if row.transport == "tcp"]
    lints = draft(replace(SOUND, name="ssh", ports=(22,), transports=("udp",)), only_ssh, {22: held}).lints
    assert "22/udp (ntp)" in next(told.statement for told in lints if told.rule == "port-assigned")


def test_a_number_that_was_given_back_is_asked_about() -> None:
    """What was de-assigned is given again only when no other is left (RFC 6335, section 8.2)."""
    former = next(
        row.ports.first
        for row in rows()
        if row.ports and row.service_name is None and (row.description or "").startswith("De-registered")
    )
    lints = found(ports=(former,), transports=("tcp", "udp"))
    assert lints["port-returned"] == "asked"


def test_several_ports_are_refused() -> None:
    """A service has at most one port (RFC 6335, section 7.2)."""
    assert found(ports=(15873, 15874))["several-ports"] == "refused"


def test_a_system_port_wants_two_reasons() -> None:
    """A System Port is for documents of the IETF, and explains why neither other range will do."""
    of_the_ietf = found(ports=("system",), reference="draft-example-shop-00, no multicast")
    assert of_the_ietf == {"port-system": "asked", "user-unexplained": "refused"}
    answered = {**SOUND.answers, "user": "It is to be trusted by hosts that check for a privileged port."}
    assert "user-unexplained" not in found(ports=("system",), answers=answered)


def test_the_reason_why_not_a_dynamic_port_is_wanted() -> None:
    """Whoever wants a port explains why none of 49152 to 65535 will do; a name alone needs no such reason."""
    assert found(answers={})["dynamic-unexplained"] == "refused"
    assert found(answers={}, ports=()) == {}
    assert found(answers={"dynamic": "so that firewalls can be opened"})["firewall"] == "asked"


def test_who_else_uses_a_number_is_told() -> None:
    """A number that is used without an assignment is a poor choice; one's own use of it is asked about."""
    assert found(ports=(25565,))["port-in-use"] == "advised"
    assert "port-used-before" not in found(ports=(25565,))
    own = found(name="minecraft", ports=(25565,))
    assert own["port-used-before"] == "asked"


# ------------------------------------------------------------------------------------------------------ other fields


@pytest.mark.parametrize(
    ("changes", "rule", "outcome"),
    [
        ({"transports": ("tcp", "udp")}, "several-transports", "asked"),
        ({"assignee": "Example Shops Inc."}, "no-address", "asked"),
        ({"contact": "ada at shops"}, "no-address", "asked"),
        ({"description": "Shop inventory service"}, "description-redundant", "advised"),
        ({"description": "Shop inventory 2.1"}, "description-version", "advised"),
        ({"description": "Shop inventory v2"}, "description-version", "advised"),
        ({"reference": "https://shops.example/spec"}, "casts-unsaid", "asked"),
        ({"reference": "A REST interface, unicast; no multicast"}, "http", "asked"),
        ({"reference": "JSON over HTTP/2, no multicast"}, "http", "asked"),
        ({"reference": "Between programs of the same host, no multicast"}, "local-only", "asked"),
        ({"code": 1}, "code-unwanted", "refused"),
        ({"transports": ("dccp",), "code": 0}, "code-reserved", "refused"),
        ({"transports": ("dccp",), "code": PRIVATE_CODES[-1]}, "code-reserved", "refused"),
        ({"transports": ("dccp",), "code": 1145656131}, "code-taken", "refused"),
        ({"answers": {"dynamic": "x", "security": "none yet"}}, "insecure", "asked"),
        ({"answers": {"dynamic": "x", "discovery": "Yes, only that."}}, "name-discovery", "advised"),
    ],
)
def test_what_speaks_against_a_field_is_told(changes: dict[str, Any], rule: str, outcome: str) -> None:
    """Each thing that IANA's rules, its form or its experts mind is found, alone, with its outcome."""
    assert found(**changes) == {rule: outcome}


def test_what_is_explained_is_not_asked() -> None:
    """An answer settles what would have been asked."""
    settled = {"transports": "UDP finds, TCP serves", "broadcast": "none", "difference": "Its client is no browser"}
    answers = {**SOUND.answers, **settled}
    assert found(transports=("tcp", "udp"), reference="JSON over HTTP/2", answers=answers) == {}


def test_nothing_speaks_against_a_sound_application() -> None:
    """What keeps to the rules is quiet, and a URL in the reference is not HTTP."""
    assert found() == {}
    assert found(ports=(15873,)) == {}
    assert found(transports=("dccp",), code=0x73686F70) == {}
    assert found(answers={**SOUND.answers, "security": "No plain text: TLS 1.3 from the start"}) == {}


def test_every_finding_says_what_to_do_and_where_that_is_written() -> None:
    """A finding has a field of the form, a statement, advice, and a section of an RFC or IANA's form as its source."""
    bad = drafted(
        name="ncr_ccl",
        transports=("tcp", "udp"),
        ports=(2528, 50000, 443, 25565),
        assignee="x",
        contact="x",
        description="service 1.0",
        reference="REST on localhost",
        code=0,
        answers={"dynamic": "firewall", "security": "no"},
    )
    assert len(bad.lints) > len(QUESTIONS)
    fields = {field.name for field in bad.fields}
    for told in bad.lints:
        assert told.field in fields
        assert told.statement
        assert told.advice
        assert told.source == FORM or told.source.startswith(("RFC 6335, section ", "RFC 7605, section "))
    outcomes = [told.outcome for told in bad.lints]
    assert outcomes == sorted(outcomes, key=("refused", "asked", "advised").index)


def test_names_that_iana_has_accepted_are_hardly_ever_refused() -> None:
    """Of the names that IANA assigned since 2016, three in four hundred read as refused: for those it made exceptions.

    edi_service is malformed, dnp-sec is a second port of dnp, and rndc a System Port that cites no document.
    """
    names = names_of(rows())
    new: dict[tuple[str, PortRange | None], Assignment] = {}
    for row in rows():
        if row.service_name and (row.registration_date or "") >= "2016":
            new.setdefault((row.service_name, row.ports), row)
    refused = set()
    for (name, ports), row in new.items():
        others = {known: same for known, same in names.items() if known != name.lower()}
        wanted = (ports.first,) if ports else ()
        application = Application(
            name,
            (row.transport,) if row.transport else (),
            wanted,
            description=row.description,
            reference=row.reference,
            code=int(row.service_code) if row.service_code else None,
            answers={"dynamic": "explained", "user": "explained"},
        )
        lints = lint(application, others, {port: entry_of(port) for port in wanted})
        refused |= {(name, told.rule) for told in lints if told.outcome == "refused"}
    assert len(new) > 400
    assert refused == {("edi_service", "name-syntax"), ("dnp-sec", "second-for-tls"), ("rndc", "port-system")}


# -------------------------------------------------------------------------------------------------------- the draft


def test_the_fields_are_those_of_the_rfc() -> None:
    """The fields stand in the order of RFC 6335, section 8.1.1; what is needed and missing says what to write."""
    empty = drafted(transports=(), assignee=None, contact="", description=None, reference=None, ports=())
    assert [field.name for field in empty.fields] == [
        "Service Name",
        "Transport Protocol(s)",
        "Assignee",
        "Contact",
        "Description",
        "Reference",
        "Port Number",
        "Service Code",
        "Known Unauthorized Uses",
        "Assignment Notes",
    ]
    missing = [field.name for field in empty.fields if field.to_write]
    assert missing == ["Transport Protocol(s)", "Assignee", "Contact", "Description", "Reference"]
    assert [field.to_write for field in drafted().fields] == [None] * len(empty.fields)
    with_dccp = {field.name: field for field in drafted(transports=("dccp",)).fields}
    assert with_dccp["Service Code"].to_write


def test_what_is_asked_depends_on_what_is_applied_for() -> None:
    """Congestion is asked of UDP, keys of TXT records of a name alone, a dynamic port where a port is applied for."""
    name_alone = {asked.key for asked in drafted(ports=(), answers={}).questions}
    assert name_alone == {"broadcast", "versions", "security", "txt", "difference"}
    over_udp = {asked.key for asked in drafted(transports=("udp", "sctp"), answers={}).questions}
    assert over_udp == set(QUESTIONS) - {"user", "txt"}
    assert "user" in {asked.key for asked in drafted(ports=("system",)).questions}
    assert {asked.key: asked.answer for asked in drafted().questions}["dynamic"] == SOUND.answers["dynamic"]


@pytest.mark.parametrize(
    ("ports", "resources", "procedure"),
    [
        ((), "service name only", "First Come First Served"),
        (("user",), "port number and service name", "Expert Review"),
        ((15873,), "port number and service name", "Expert Review"),
        ((443,), "port number and service name", "IETF Review or IESG Approval"),
        (("system",), "port number and service name", "IETF Review or IESG Approval"),
    ],
)
def test_how_iana_decides_follows_from_the_port(ports: tuple[Any, ...], resources: str, procedure: str) -> None:
    """A name is first come, first served; a User Port is reviewed by an expert, a System Port by the IETF."""
    made = drafted(ports=ports)
    assert (made.resources, made.procedure) == (resources, procedure)
