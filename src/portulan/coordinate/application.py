"""An application to IANA for a service name and a port number: what it says, what it is asked, what speaks against it.

The fields are those of RFC 6335, section 8.1.1; the questions those of IANA's form in our words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from portulan.model import Value, tier_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from portulan.model import Transport

    Outcome = Literal["refused", "asked", "advised"]
    Wanted = int | Literal["user", "system"]

FORM: Final = "https://www.iana.org/form/ports-services"
"""Where IANA takes applications."""

NAME: Final = "Service Name"
TRANSPORTS: Final = "Transport Protocol(s)"
ASSIGNEE: Final = "Assignee"
CONTACT: Final = "Contact"
DESCRIPTION: Final = "Description"
REFERENCE: Final = "Reference"
PORT: Final = "Port Number"
CODE: Final = "Service Code"
UNAUTHORIZED: Final = "Known Unauthorized Uses"
NOTES: Final = "Assignment Notes"
"""The fields (RFC 6335, section 8.1.1)."""


_IETF = re.compile(
    r"\W*(?:RFC ?\d{3,}|draft-|I-D\b|Internet-Draft\b|https://(?:datatracker\.ietf|(?:www\.)?rfc-editor)\.org/)",
    re.IGNORECASE,
)


class Application(Value):
    """What is applied for. What the applicant has not said yet is None, or missing from `answers`.

    `ports` are numbers, or the range in which IANA is to choose one; without any only the name is applied for.
    `answers` are those to the questions, by their keys.
    """

    name: str
    transports: tuple[Transport, ...] = ()
    ports: tuple[Wanted, ...] = ()
    assignee: str | None = None
    contact: str | None = None
    description: str | None = None
    reference: str | None = None
    code: int | None = None
    unauthorized: str | None = None
    notes: str | None = None
    answers: Mapping[str, str] = {}


class Lint(Value):
    """Something that speaks against an application as it stands.

    outcome: it would be `refused` for this; whoever reviews it will have this `asked`; it is `advised` to change this.
    `source` is where that is written.
    """

    rule: str
    field: str
    outcome: Outcome
    statement: str
    advice: str
    source: str


def numbers_of(application: Application) -> tuple[int, ...]:
    """Return the numbers that are applied for, without the ranges."""
    return tuple(port for port in application.ports if isinstance(port, int))


def wants_system_port(application: Application) -> bool:
    """Tell whether one of the ports lies, or is to be chosen, from 0 to 1023."""
    return "system" in application.ports or "system" in map(tier_of, numbers_of(application))


def is_of_the_ietf(application: Application) -> bool:
    """Tell whether the reference is an RFC or an Internet-Draft, which the IETF reviews (RFC 6335, section 8.1.2)."""
    return bool(_IETF.match(application.reference or ""))


QUESTIONS: Final[dict[str, tuple[str, Callable[[Application], bool]]]] = {
    "dynamic": (
        "Why is a port from 49152 to 65535, which clients find at run time, or an existing port unsuitable?",
        lambda it: bool(it.ports),
    ),
    "user": ("Why is a port from 1024 to 49151 unsuitable?", wants_system_port),
    "broadcast": ("Is broadcast, multicast or anycast used: how, and what for?", lambda _: True),
    "congestion": (
        "Over UDP: how is traffic limited, and how does it react to congestion?",
        lambda it: "udp" in it.transports,
    ),
    "discovery": ("Over UDP: is it only for finding the hosts that speak it?", lambda it: "udp" in it.transports),
    "versions": ("How are versions told apart, so that later ones share the name and the port?", lambda _: True),
    "transports": (
        "Why does it need each of these transports, and how does it differ over them?",
        lambda it: len(it.transports) > 1,
    ),
    "security": ("How is it secured?", lambda _: True),
    "state": ("How far is it developed, and who uses it?", lambda it: bool(it.ports)),
    "sctp": (
        "Over SCTP: which name and port has it over TCP or UDP, and what of SCTP would make a user choose it?",
        lambda it: "sctp" in it.transports,
    ),
    "txt": ("Which keys do its TXT records have (RFC 6763, section 6)?", lambda it: not it.ports),
    "difference": ("How does it differ from the services that are assigned already?", lambda _: True),
}
"""What an applicant is asked and when, by a key of ours: by IANA's form, and `user` by RFC 6335, section 8.1.2."""
