"""How well a registration is documented: two separate facts, and the reasons in words.

IANA's own row gives `registration`; a document known to us gives `specification`. A bare row is no proof that there is
no specification: 53/tcp cites nothing and has a famous RFC.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from portulan.model import Grade, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from portulan.model import Assignment, Citation, Registration, Transport

    Specification = Callable[[str, Transport], Citation | None]

REGISTRATIONS: Final[tuple[Registration, ...]] = ("name-only", "dated", "referenced", "specified")
"""From least to best documented."""

_RFC = re.compile(r"(?<![\w-])RFC ?([0-9]+)", re.IGNORECASE)


def registration_of(row: Assignment) -> Registration:
    """Return what IANA's row shows: an RFC, another document (in the editor's queue, too), a date, or only a name."""
    if document_of(row):
        return "specified" if rfcs_of(row) else "referenced"
    return "dated" if row.registration_date else "name-only"


def document_of(row: Assignment) -> str | None:
    """Return what a row cites; None where it cites nothing, or says that there is nothing: ``[n/a]``."""
    return None if row.reference == "[n/a]" else row.reference


def rfcs_of(row: Assignment) -> tuple[str, ...]:
    """Return the numbers of the RFCs that a row cites; ``[RFC-ietf-...]`` has none yet."""
    return tuple(dict.fromkeys(_RFC.findall(row.reference or "")))


def reasons_of(row: Assignment, called: str = "IANA's row") -> tuple[str, ...]:
    """Say why the row, called so, has its registration grade; what it cites is the last reason."""
    rfcs = rfcs_of(row)
    if rfcs:
        return (f"{called} cites {' and '.join(f'RFC {number}' for number in rfcs)}",)
    document = document_of(row)
    if document:
        return (f"{called} cites {' '.join(document.split())}",)
    dated = f"{called} is dated {row.registration_date}" if row.registration_date else f"{called} has no date"
    return dated, f"{called} cites no document"


def grade(assignment: Assignment, specification: Citation | None, implemented_by: Iterable[str]) -> Grade:
    """Grade one assignment."""
    return Grade(registration_of(assignment), specification, tuple(sorted(set(implemented_by))), reasons_of(assignment))


def grade_all(
    assignments: Iterable[Assignment], transport: Transport, specification: Specification, implemented_by: Iterable[str]
) -> Grade | None:
    """Grade a (port, transport) pair: the best of its assignments; None without any.

    `specification` tells the citation for a service name and transport. Where two assignments are registered equally
    well, the one with a specification is better, then the one that IANA lists first. Of several, the reasons name each
    row: the best one's, then what the others cite.
    """
    products = tuple(implemented_by)
    rows = tuple(assignments)
    graded = [grade(row, specification(row.service_name or "", transport), products) for row in rows]
    if len(graded) < 2:  # noqa: PLR2004  # several
        return graded[0] if graded else None
    best = max(
        range(len(rows)),
        key=lambda place: (REGISTRATIONS.index(graded[place].registration), graded[place].specification is not None),
    )
    named = [reasons_of(row, f"IANA's row of {row.service_name or 'no name'}") for row in rows]
    others = [reason[-1] for place, reason in enumerate(named) if place != best]
    several: Grade = replace(graded[best], reasons=(*named[best], *others))
    return several
