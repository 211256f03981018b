"""The grade of a registration: two separate facts, and the reasons in words."""

from __future__ import annotations

import pytest

from portulan.model import Assignment, Citation, PortRange
from portulan.registry.grade import REGISTRATIONS, grade, grade_all, reasons_of, registration_of, rfcs_of

DOCUMENT = Citation("https://www.rfc-editor.org/rfc/rfc1035", "RFC 1035")


def row(name: str = "x", *, reference: str | None = None, date: str | None = None) -> Assignment:
    """Return an assignment of port 1."""
    return Assignment(name, (), PortRange(1, 1), "tcp", None, None, None, date, None, reference, None, None, None)


@pytest.mark.parametrize(
    ("assignment", "registration", "reasons"),
    [
        (row(), "name-only", ("IANA's row has no date", "IANA's row cites no document")),
        (row(date="2002-01"), "dated", ("IANA's row is dated 2002-01", "IANA's row cites no document")),
        (row(reference="[RFC4251]"), "specified", ("IANA's row cites RFC 4251",)),
        (row(reference="[RFC5389][RFC8489]"), "specified", ("IANA's row cites RFC 5389 and RFC 8489",)),
        (
            row(reference="[RFC-ietf-lamps-rfc5273bis-10]"),
            "referenced",
            ("IANA's row cites [RFC-ietf-lamps-rfc5273bis-10]",),
        ),
        (row(reference="[ISO 9506]", date="2001"), "referenced", ("IANA's row cites [ISO 9506]",)),
        (row(reference="[a\n   b]"), "referenced", ("IANA's row cites [a b]",)),
    ],
)
def test_the_row_gives_the_grade_and_says_why(
    assignment: Assignment, registration: str, reasons: tuple[str, ...]
) -> None:
    """An RFC specifies, any other document refers, a date dates, a bare row has only its name."""
    assert registration_of(assignment) == registration
    assert reasons_of(assignment) == reasons


def test_a_draft_of_an_rfc_has_no_number() -> None:
    """[RFC-ietf-...] names a document in the editor's queue, even where an RFC's number stands in its name."""
    assert rfcs_of(row(reference="[RFC-ietf-dhc-rfc8415bis-12]")) == ()


def test_a_bare_row_may_have_a_famous_specification() -> None:
    """What IANA's row shows and what is known to us are two facts; neither changes the other."""
    both = grade(row(), DOCUMENT, ["NSD", "BIND 9", "NSD"])
    assert (both.registration, both.specification) == ("name-only", DOCUMENT)
    assert both.implemented_by == ("BIND 9", "NSD")
    assert both.reasons == ("IANA's row has no date", "IANA's row cites no document")


def test_a_pair_has_the_grade_of_its_best_row() -> None:
    """Of several assignments the best registered one counts, then one with a specification, then the first."""

    def known(name: str, _transport: str) -> Citation | None:
        return DOCUMENT if name == "known" else None

    rows = [row("first"), row("known"), row("dated", date="1999-01")]
    best = grade_all(rows, "tcp", known, [])
    assert best is not None
    assert (best.registration, best.specification) == ("dated", None)
    equal = grade_all(rows[:2], "tcp", known, [])
    assert equal is not None
    assert equal.specification == DOCUMENT
    assert grade_all([], "tcp", known, []) is None


def test_the_reasons_of_several_rows_name_the_row() -> None:
    """Where a pair has several rows, a reason says of which it speaks: the best one's first, then what others cite."""

    def unknown(_name: str, _transport: str) -> None:
        return None

    several = grade_all([row("urd"), row("submissions", reference="[RFC8314]")], "tcp", unknown, [])
    assert several is not None
    assert several.reasons == ("IANA's row of submissions cites RFC 8314", "IANA's row of urd cites no document")
    bare = grade_all([row("a"), row("b", date="1999-01")], "tcp", unknown, [])
    assert bare is not None
    assert bare.reasons == (
        "IANA's row of b is dated 1999-01",
        "IANA's row of b cites no document",
        "IANA's row of a cites no document",
    )
    one = grade_all([row("a")], "tcp", unknown, [])
    assert one is not None
    assert one.reasons == ("IANA's row has no date", "IANA's row cites no document")


def test_grades_are_ordered() -> None:
    """From a name alone to an RFC."""
    assert REGISTRATIONS == ("name-only", "dated", "referenced", "specified")
