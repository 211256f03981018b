"""A draft of IANA's application: its fields with what is still to be written, the questions, what speaks against it.

Pure: the registry's rows, and what the map says of the wanted numbers, come in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from portulan.coordinate.application import (
    ASSIGNEE,
    CODE,
    CONTACT,
    DESCRIPTION,
    NAME,
    NOTES,
    PORT,
    QUESTIONS,
    REFERENCE,
    TRANSPORTS,
    UNAUTHORIZED,
    wants_system_port,
)
from portulan.coordinate.draftlints import lint
from portulan.coordinate.servicenames import names_of
from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from portulan.coordinate.application import Application, Lint
    from portulan.model import Assignment, Entry

TO_WRITE: Final = {
    NAME: "1 to 15 letters, digits and single hyphens",
    TRANSPORTS: "those of TCP, UDP, SCTP and DCCP that it uses today, and no more",
    ASSIGNEE: "the organization, company or person to whom it is assigned, as Name <e-mail address>",
    CONTACT: "the person who answers questions, as Name <e-mail address>",
    DESCRIPTION: "what it is, in a few words and with the best-known acronyms only",
    REFERENCE: "the document that describes it; or its messages and their sequence in short; or that it is proprietary "
    "and not documented; and whether it uses broadcast, multicast or anycast",
    CODE: "the DCCP service code, a number of 32 bits",
}
"""What to write into a field that is needed (RFC 6335, section 8.1.1)."""


class Field(Value):
    """A field of the application; `to_write` is what it still needs, None where it has that or needs nothing."""

    name: str
    value: str | None
    to_write: str | None


class Question(Value):
    """What whoever reviews the application wants to know; the answer is None where there is none yet."""

    key: str
    question: str
    answer: str | None


class Draft(Value):
    """An application as it stands, how IANA decides it, and what speaks against it."""

    resources: str
    procedure: str
    fields: tuple[Field, ...]
    questions: tuple[Question, ...]
    lints: tuple[Lint, ...]


def draft(application: Application, rows: Iterable[Assignment], entries: Mapping[int, Entry]) -> Draft:
    """Put an application into the form, and say what would become of it.

    `rows` are those of the registry, aliases as rows of their own or collapsed; `entries` has each wanted number below
    49152.
    """
    return Draft(
        "port number and service name" if application.ports else "service name only",
        procedure_of(application),
        tuple(_field(name, value, needed=name in _needed(application)) for name, value in _values(application).items()),
        tuple(
            Question(key, question, application.answers.get(key))
            for key, (question, is_asked) in QUESTIONS.items()
            if is_asked(application) or key in application.answers
        ),
        lint(application, names_of(rows), entries),
    )


def procedure_of(application: Application) -> str:
    """Say how IANA decides (RFC 6335, sections 8.1.1 and 8.1.2)."""
    if wants_system_port(application):
        return "IETF Review or IESG Approval"
    return "Expert Review" if application.ports else "First Come First Served"


def _values(application: Application) -> dict[str, str | None]:
    """Return what stands in each field, in the order of RFC 6335, section 8.1.1."""
    ranges = {"user": "any of the User Ports", "system": "any of the System Ports"}
    return {
        NAME: application.name,
        TRANSPORTS: ", ".join(application.transports).upper(),
        ASSIGNEE: application.assignee,
        CONTACT: application.contact,
        DESCRIPTION: application.description,
        REFERENCE: application.reference,
        PORT: ", ".join(ranges.get(str(port), str(port)) for port in application.ports),
        CODE: None if application.code is None else str(application.code),
        UNAUTHORIZED: application.unauthorized,
        NOTES: application.notes,
    }


def _needed(application: Application) -> set[str]:
    always = {NAME, TRANSPORTS, ASSIGNEE, CONTACT, DESCRIPTION, REFERENCE}
    return always | {CODE} if "dccp" in application.transports else always


def _field(name: str, value: str | None, *, needed: bool) -> Field:
    return Field(name, value or None, TO_WRITE[name] if needed and not value else None)
