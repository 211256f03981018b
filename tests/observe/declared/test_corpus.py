"""The score of the labelled corpus."""

from __future__ import annotations

from collections import Counter

import pytest

from portulan.observe.declared import NOT_FORMATS, __path__, find_files
from portulan.observe.readers import load
from portulan.observe.readers.source import open_source
from tests.observe.declared.corpus import CORPUS, Label, Score, by_format, labels, score

GOAL = 0.97
LEAST = 0.9
"""Of one format."""
FORMATS = sorted(reader.FORMAT for reader in load("portulan.observe.declared", __path__, NOT_FORMATS))


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    """Read the corpus once."""
    return by_format()


def test_the_whole_reaches_the_goal(scores: dict[str, Score]) -> None:
    """Of all labels, by file, line and port, at least 97 of a hundred are found, and so many of the finds are true."""
    whole = scores["all"]
    assert whole.recall >= GOAL, whole.missing
    assert whole.precision >= GOAL, whole.false


def test_what_is_found_has_the_role_and_the_transport_of_its_label(scores: dict[str, Score]) -> None:
    """Of what is found, at least 97 of a hundred have the role and the transport that somebody gave them."""
    whole = scores["all"]
    assert len(whole.other_role) <= (1 - GOAL) * whole.found, whole.other_role


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_lags_behind(scores: dict[str, Score], form: str) -> None:
    """Every format has files in the corpus, and none has a precision or recall below 0.9."""
    one = scores[form]
    assert one.found
    assert one.recall >= LEAST, one.missing
    assert one.precision >= LEAST, one.false


def test_no_file_is_in_two_formats() -> None:
    """What two readers recognise, none would read."""
    readers = list(load("portulan.observe.declared", __path__, NOT_FORMATS))
    known: Counter[str] = Counter()
    for path in find_files(CORPUS):
        with open_source(str(path)) as source:
            formats = [reader.FORMAT for reader in readers if reader.recognise(source.head, source.name)]
        assert len(formats) <= 1, f"{path}: {formats}"
        known.update(formats)
    assert set(known) == set(FORMATS)


def test_the_corpus_is_large_enough() -> None:
    """At least 60 files are labelled."""
    assert len({label.file for label in labels()}) >= 60


def test_the_score_counts_what_is_missing_false_and_of_another_role() -> None:
    """A range is found if all of it is; ports that no label of the line has are false."""
    wanted = [
        Label("a", 1, 80, 82, "tcp", "published", ""),
        Label("a", 2, 53, 53, "udp", "internal", ""),
        Label("a", 3, 25, 25, "tcp", "dialled", ""),
    ]
    found = [
        Label("a", 1, 80, 81, "tcp", "published", "x"),
        Label("a", 2, 53, 53, "tcp", "internal", "x"),
        Label("a", 3, 25, 25, "tcp", "dialled", "x"),
        Label("a", 3, 26, 26, "tcp", "dialled", "x"),
    ]
    assert score(wanted, found) == Score(2, [wanted[0]], [found[3]], [wanted[1]])
    assert (score(wanted, found).precision, score(wanted, found).recall) == (2 / 3, 2 / 3)
