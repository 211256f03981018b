"""What speaks against an application to IANA: each finding with its outcome, what to do, and where that is written.

A statement is about the application as it stands; what IANA and its experts decide is theirs. Refused is what a rule of
RFC 6335 forbids or wants explained, and what its principles leave no room for where an expert reviews it: documents of
the IETF have another way (section 8.1.2), so for these the same is only asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.coordinate.application import (
    ASSIGNEE,
    CONTACT,
    DESCRIPTION,
    FORM,
    NAME,
    NOTES,
    PORT,
    REFERENCE,
    TRANSPORTS,
    Lint,
    is_of_the_ietf,
    wants_system_port,
)
from portulan.coordinate.draftnumbers import of_code, of_ports
from portulan.coordinate.servicenames import bare, faults_of_name, variant_of, well_formed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from portulan.coordinate.application import Application, Outcome
    from portulan.model import Assignment, Entry, PortRange

    Names = Mapping[str, Sequence[Assignment]]

_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")
_VERSION_IN_TEXT = re.compile(r"\b(?:v\.?\d+|version \d+|\d+\.\d+(?:\.\d+)*)\b", re.IGNORECASE)
_REDUNDANT = re.compile(r"\b(?:ports?|services?|protocols?)\b", re.IGNORECASE)
_REDUNDANT_END = re.compile(r".+(?:service|protocol)", re.IGNORECASE)
_CASTS = re.compile(r"\b(?:broad|multi|any)cast", re.IGNORECASE)
_HTTP = re.compile(r"\b(?:(?i:https?)\b(?!://)|REST|RESTful|gRPC|GraphQL|WebSockets?)\b")
_LOCAL = re.compile(r"\blocalhost\b|\bloopback\b|\b127\.0\.0\.1\b|\bsame (?:host|machine)\b", re.IGNORECASE)
_FIREWALL = re.compile(r"\bfirewall", re.IGNORECASE)
_YES = re.compile(r"(?:yes|only|solely)\b", re.IGNORECASE)
_NOTHING = re.compile(r"(?:none|nothing|not?|n/?a)(?: (?:yet|at all|needed|secured|supported))?\W*", re.IGNORECASE)


def lint(application: Application, names: Names, entries: Mapping[int, Entry]) -> tuple[Lint, ...]:
    """Return what speaks against an application, what it would be refused for first.

    `names` are the registry's rows by name and alias in lower case, `entries` what the map says of each wanted number.
    """
    found = [
        *_of_name(application, names),
        *_of_transports(application),
        *_of_people(application),
        *_of_words(application),
        *of_ports(application, entries),
        *of_code(application, names),
        *_of_answers(application),
    ]
    return tuple(sorted(found, key=lambda one: ("refused", "asked", "advised").index(one.outcome)))


# -------------------------------------------------------------------------------------------------------------- names


def _of_name(application: Application, names: Names) -> Iterator[Lint]:
    name = application.name
    better = well_formed(name)
    advice = f"{better} would be well-formed" if better else "take letters, digits and single hyphens"
    if better and better.lower() in names:
        advice += ", but is assigned"
    for fault in faults_of_name(name):
        yield Lint("name-syntax", NAME, "refused", f"the name {fault}", advice, "RFC 6335, section 5.1")
    if taken := names.get(name.lower()):
        yield _of_taken_name(application, taken)
        return
    said = bare(name)
    if similar := sorted([known for known in names if bare(known) == said]):
        yield Lint(
            "name-similar",
            NAME,
            "asked",
            f"but for hyphens and underscores the name is {', '.join(similar)}, which is assigned",
            "take a name that nobody confuses with it",
            "RFC 6335, section 5",
        )
    yield from _of_variant(application, names)
    if _REDUNDANT.search(name) or _REDUNDANT_END.fullmatch(name):
        yield Lint(
            "name-redundant",
            NAME,
            "advised",
            "the name says port, service or protocol, as all that is in the registry is",
            "leave the word out",
            "RFC 6335, section 5",
        )


def _of_taken_name(application: Application, taken: Sequence[Assignment]) -> Lint:
    """Tell of a name that is assigned; who has it may apply for another transport (RFC 6335, section 8.1.1)."""
    source = "RFC 6335, section 8.1.1"
    homes = [f"{_span(row.ports)}/{row.transport or 'any'}" for row in taken if row.ports]
    statement = f"the name is assigned: {taken[0].service_name}, {', '.join(homes) or 'without a port'}"
    others = {row.transport for row in taken}
    is_new = application.transports and None not in others and others.isdisjoint(application.transports)
    if is_new and set(application.ports) <= {row.ports.first for row in taken if row.ports}:
        assignee = taken[0].assignee or "whom the row does not name"
        advice = f"say in {NOTES} that a transport is added; IANA confirms it with the assignee, {assignee}"
        return Lint("transport-added", NAME, "asked", f"{statement}, for other transports", advice, source)
    return Lint("name-taken", NAME, "refused", statement, "take another name", source)


def _span(ports: PortRange) -> str:
    return str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"


def _of_variant(application: Application, names: Names) -> Iterator[Lint]:
    """Tell of a name that is another's inside TLS, or a version or an instance of it."""
    found = variant_of(application.name, names)
    if found is None:
        return
    kind, stem = found
    known = ", which is assigned" if stem in names else ""
    is_refused = known and application.ports and kind != "secured-perhaps" and not is_of_the_ietf(application)
    outcome: Outcome = "refused" if is_refused else "asked"
    if kind != "numbered":
        statement = f"the name reads as that of another inside TLS: {stem}{known}"
        advice = "have one name and one port, with security from the start or negotiated in-band"
        yield Lint("second-for-tls", NAME, outcome, statement, advice, "RFC 6335, section 9")
    else:
        statement = f"the name reads as a version or an instance of {stem}{known}"
        advice = "have one name and one port for all, and tell versions and instances apart in-band"
        yield Lint("variant", NAME, outcome, statement, advice, "RFC 6335, section 7.2")


# ------------------------------------------------------------------------------------------- transports, people, words


def _of_transports(application: Application) -> Iterator[Lint]:
    if len(application.transports) > 1 and not application.answers.get("transports"):
        told = " and ".join(transport.upper() for transport in application.transports)
        yield Lint(
            "several-transports",
            TRANSPORTS,
            "asked",
            f"{told} are applied for, and nothing says why it needs each",
            "apply for what it uses today; another can be added later, and its number is kept for it until then",
            "RFC 6335, section 7.2",
        )


def _of_people(application: Application) -> Iterator[Lint]:
    for field, value in ((ASSIGNEE, application.assignee), (CONTACT, application.contact)):
        if value and not _ADDRESS.search(value):
            yield Lint(
                "no-address",
                field,
                "asked",
                "it has no e-mail address",
                "write Name <address>",
                "RFC 6335, section 8.1.1",
            )


def _of_words(application: Application) -> Iterator[Lint]:
    description, reference = application.description or "", application.reference or ""
    if _REDUNDANT.search(description):
        statement = "it says port, service or protocol, as all that is in the registry is"
        yield Lint("description-redundant", DESCRIPTION, "advised", statement, "leave the word out", FORM)
    if _VERSION_IN_TEXT.search(description):
        statement = "it names a version, and an assignment is for all of them"
        yield Lint("description-version", DESCRIPTION, "advised", statement, "leave the version out", FORM)
    if reference and not _CASTS.search(reference) and not application.answers.get("broadcast"):
        yield Lint(
            "casts-unsaid",
            REFERENCE,
            "asked",
            "nothing says whether it uses broadcast, multicast or anycast",
            "say so there or in the answer `broadcast`, also where it uses none",
            "RFC 6335, section 8.1.1",
        )
    if not application.ports:
        return
    if _HTTP.search(f"{description} {reference}") and not application.answers.get("difference"):
        yield Lint(
            "http",
            REFERENCE,
            "asked",
            "it speaks of HTTP: what an unmodified client of another service can talk to is no new service",
            "use 443 with a path or a host of its own, or say in the answer `difference` what such a client cannot do",
            "RFC 7605, section 7.1",
        )
    if _LOCAL.search(f"{description} {reference}"):
        yield Lint(
            "local-only",
            REFERENCE,
            "asked",
            "it speaks of one host: programs on it can tell each other a dynamic port",
            "say in the answer `dynamic` why they cannot, or use a dynamic port",
            "RFC 6335, section 8.1.1",
        )


# ------------------------------------------------------------------------------------------------------------- answers


def _of_answers(application: Application) -> Iterator[Lint]:
    answers = application.answers
    if application.ports and not answers.get("dynamic"):
        yield Lint(
            "dynamic-unexplained",
            PORT,
            "refused",
            "nothing explains why a dynamic port is unsuitable",
            "say in the answer `dynamic` why clients cannot find the port at run time, as by a DNS SRV record; "
            "where they can, apply for the name alone",
            "RFC 6335, section 8.1.1",
        )
    if wants_system_port(application) and not answers.get("user"):
        yield Lint(
            "user-unexplained",
            PORT,
            "refused",
            "nothing explains why a port from 1024 to 49151 is unsuitable",
            "say so in the answer `user`",
            "RFC 6335, section 8.1.2",
        )
    if application.ports and _FIREWALL.search(answers.get("dynamic", "")):
        yield Lint(
            "firewall",
            PORT,
            "asked",
            "filtering by number is the least sound reason: a number says nothing certain about the service",
            "give a reason that the two ends have",
            "RFC 6335, section 7.2",
        )
    if _YES.match(answers.get("discovery", "")) and not application.name.lower().endswith("-disc"):
        statement = "it is only for discovery, and the name does not show that"
        yield Lint("name-discovery", NAME, "advised", statement, "let the name end in -disc", "RFC 6335, section 5")
    if _NOTHING.fullmatch(answers.get("security", "")):
        yield Lint(
            "insecure",
            REFERENCE,
            "asked",
            "it is not secured, and services are expected to be",
            "have security by default, or negotiated in-band",
            "RFC 6335, section 9",
        )
