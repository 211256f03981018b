"""Whether a use agrees with the registry: the rule, and how often people who compared them one by one said the same."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from portulan.model import Assignment, Citation, KnownUse, PortRange, replace
from portulan.registry.agreement import GENERIC, Agreement, letters, words
from portulan.registry.iana import collapse_aliases, state_of, transports_of
from tests import strategies

if TYPE_CHECKING:
    from portulan.registry.facts import Facts

RELATIONS = Path(__file__).parents[1] / "data" / "registry" / "relations.csv"

OURS_IS_RIGHT = {
    ("4011", "udp"),  # altserviceboot is what PXE's proxy DHCP is registered as
    ("5900-5999", "tcp"),  # the first number is rfb's, which is VNC
    ("5900-6923", "tcp"),
    ("27000", "tcp"),  # flex-lm names no transport, and so counts for tcp
    ("1521", "tcp"),  # nCube's licence manager is not Oracle's listener
    ("443", "udp"),  # a VPN's DTLS is not HTTP
    ("8080", "tcp"),  # http-alt is not for TLS
}
"""Where the two differ and the registry's own words decide for the rule."""


@pytest.fixture(scope="module")
def agreement(facts: Facts) -> Agreement:
    """Return the rule with the shipped table of protocols."""
    return Agreement(facts.protocols)


def use(product: str, protocol: str | None = None, role: str | None = None, vendor: str | None = None) -> KnownUse:
    """Return a use of port 1."""
    citation = Citation("https://example.net/", "a page")
    default = True
    return KnownUse(
        product, vendor, PortRange(1, 1), "tcp", "listen", protocol, "unofficial", role, default, citation, "documented"
    )


def service(name: str, description: str | None = None, *aliases: str) -> Assignment:
    """Return an assignment of port 1."""
    return Assignment(name, aliases, PortRange(1, 1), "tcp", description, *[None] * 8)


@pytest.mark.parametrize(
    ("told", "row"),
    [
        (use("OpenSSH server", "ssh"), service("ssh")),
        (use("OpenSSH server", "SSH"), service("ssh")),
        (use("BIND 9", "dns"), service("domain", "Domain Name Server")),
        (use("some PBX", "ncr-ccl"), service("new-name", None, "ncr_ccl")),
        (use("Dovecot IMAP", "imap", "mailbox access over TLS"), service("imaps")),
        (use("PostgreSQL server", None), service("postgresql")),
        (use("Postgres pooler", None), service("postgresql")),
        (use("CouchDB", "http"), service("couchdb")),
        (use("Performance Co-Pilot", "x"), service("pmcd", "PCP server (pmcd)")),
        (
            use("NetBackup", None, "private branch exchange", "Veritas"),
            service("vrts-pbx", "Veritas private BRANCH exchange"),
        ),
        (use("RKE2", None, "etcd peers"), service("etcd-server")),
    ],
)
def test_a_use_agrees(agreement: Agreement, told: KnownUse, row: Assignment) -> None:
    """By protocol, by the product's name, by vendor and role, by the role's own words."""
    assert agreement.related(told, [service("other"), row]).relation == "registered"


@pytest.mark.parametrize(
    ("told", "row"),
    [
        (
            use("3CX Phone System", "smtp", "notification e-mail through 3CX SMTP service", "3CX"),
            service("ncr-ccl", "NCR CCL"),
        ),
        (use("nginx", "http"), service("hbci", "HBCI")),
        (use("Data Server", None, "management console"), service("data-mgmt", "Data Management Server")),
        (use("Teams", None, "calls", "Microsoft"), service("ms-sql-m", "SQL Monitor")),
        (use("Exim", "imap", "without encryption"), service("imaps")),
        (use("", None, ""), service("x")),
    ],
)
def test_a_use_does_not_agree(told: KnownUse, row: Assignment) -> None:
    """A different protocol, a vendor alone or words of the trade prove nothing."""
    assert Agreement({}).related(told, [row]).relation == "unofficial"


def test_http_over_a_range_is_not_everything_made_of_http(agreement: Agreement) -> None:
    """A product that takes 8100 to 8199 for HTTP is not Privoxy on 8118; on one number what is made of HTTP counts."""
    one = use("Remote Management", "http")
    many = replace(one, ports=PortRange(8100, 8199))
    assert agreement.agrees(one, service("wsman"))
    assert not agreement.agrees(many, service("wsman"))
    assert agreement.agrees(many, service("http-alt"))


def test_nothing_agrees_with_nothing(agreement: Agreement) -> None:
    """Where nothing is assigned, every use is unofficial."""
    assert agreement.related(use("OpenSSH server", "ssh"), []).relation == "unofficial"


def test_malice_stays_malice(agreement: Agreement) -> None:
    """History of malware is never turned into a registered use."""
    told = replace(use("x", "ssh"), relation="malicious")
    assert agreement.related(told, [service("ssh")]) == told


@given(told=strategies.known_uses, row=strategies.assignments)
@settings(deadline=None)
def test_any_use_and_row_can_be_compared(told: KnownUse, row: Assignment) -> None:
    """Hostile texts only fail to agree; a use always agrees with a service called by its protocol."""
    rule = Agreement({})
    assert rule.related(told, [row]).relation in ("registered", "unofficial", "malicious")
    if told.protocol and letters(told.protocol):
        assert rule.agrees(told, service(told.protocol))


def test_words_of_the_trade_are_words() -> None:
    """Each generic word is one that texts are split into; another would never be met."""
    assert {word for text in GENERIC for word in words(text)} >= GENERIC - {"a"}


def test_the_rule_says_what_people_said(rows: list[Assignment], facts: Facts, agreement: Agreement) -> None:
    """At least 97 percent of 2,516 uses get the relation that people gave them; of the rest half are for the rule."""
    table: dict[tuple[int, str], list[Assignment]] = {}
    for row in collapse_aliases(rows):
        if row.ports and state_of(row) == "assigned":
            for transport in transports_of(row):
                for port in range(row.ports.first, row.ports.last + 1):
                    table.setdefault((port, transport), []).append(row)
    told: dict[tuple[object, ...], str] = {}
    for each in facts.uses:
        which = (each.ports.first, each.ports.last, each.transport, each.direction, each.product, each.role or "")
        told[which] = agreement.related(each, table.get((each.ports.first, each.transport), ())).relation
    with RELATIONS.open(encoding="utf-8", newline="") as file:
        said = list(csv.DictReader(file))
    assert len(said) == 2516
    differ = []
    compared = 0
    for row_said in said:
        first, _, last = row_said["port"].partition("-")
        key = (
            int(first),
            int(last or first),
            row_said["transport"],
            row_said["direction"],
            row_said["product"],
            row_said["role"],
        )
        if key in told:
            compared += 1
            if (told[key] == "registered") != (row_said["registered"] == "yes"):
                differ.append((row_said["port"], row_said["transport"]))
    assert compared >= 2400
    assert len(differ) <= 0.03 * compared
    assert len([pair for pair in differ if pair not in OURS_IS_RIGHT]) <= 0.01 * compared
