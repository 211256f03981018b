"""`portulan search` in text: what was found, and why where that is not to be seen."""

from __future__ import annotations

import pytest

from tests.cli.door import portulan


def found(*words: str) -> list[list[str]]:
    """Return the cells that a search prints into a pipe."""
    return [line.split("\t") for line in portulan("search", *words).stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "why"),
    [("Amitava Dutta", "([Amitava_Dutta])"), ("rfc9260", "[RFC9260]"), ("dns", "(dns)"), ("smb", "(smb)")],
)
def test_what_matched_is_said_where_it_is_not_seen(words: str, why: str) -> None:
    """A hit by person, document or other name says so in parentheses behind what it is."""
    what = found(words)[0][3]
    assert why in what
    assert what.endswith(")")


def test_what_is_seen_is_not_said_twice() -> None:
    """A hit by name or description has no parentheses."""
    assert found("voip mail") == [
        ["2528", "tcp", "3CX Phone System", "dials: notification e-mail through 3CX SMTP service, smtp"]
    ]


def test_a_product_holds_or_dials() -> None:
    """Of a product's ports it is said whether it holds or dials them."""
    what = [row[3] for row in found("3cx")]
    assert all(text.startswith(("holds: ", "dials: ")) for text in what)
