"""The sentence of a number: what it makes of the uses that are cited."""

from __future__ import annotations

import pytest

from portulan.answer import Answer, lookup
from portulan.judge.evidence import is_narrow
from portulan.sentence import sentence


def answer_of(query: str) -> Answer:
    """Return what the packaged map says of a number."""
    answer = lookup(query)
    assert isinstance(answer, Answer)
    return answer


@pytest.fixture(autouse=True)
def packaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer from the packaged registry, whatever this user has updated."""
    monkeypatch.setenv("PORTULAN_DATA", "/nonexistent/portulan")


def products(query: str, *, narrow: bool) -> list[str]:
    """Return the products that are cited for the number itself, or for pools that have it."""
    entry = answer_of(query).entry
    assert entry is not None
    uses = [use for use in entry.known_uses if use.relation != "malicious" and is_narrow(use) == narrow]
    return list(dict.fromkeys([use.product for use in uses]))


def test_only_pools_are_said_to_be_such() -> None:
    """Where every cited use is a wide range, the sentence says so, and does not count them as cited for the number."""
    assert not products("60000", narrow=True)
    said = sentence(answer_of("60000"))
    assert f"Only wide ranges that have it are cited: {products('60000', narrow=False)[0]} is " in said
    assert "cited for it" not in said


def test_pools_are_not_counted_beside_narrow_uses() -> None:
    """Where a use of the number itself is cited, pools that have it too are not counted beside it."""
    narrow = products("25565", narrow=True)
    assert narrow
    said = sentence(answer_of("25565"))
    assert f"{narrow[0]} is " in said
    assert "wide range" not in said
    others = len(narrow) - 1
    assert (f"and {others} other product" in said) == (others > 0)


def test_no_use_at_all() -> None:
    """A number without any cited use says so."""
    assert sentence(answer_of("22/dccp")).endswith("No use of it is known.")
