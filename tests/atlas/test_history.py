"""What changed between snapshots: known again by name and transport, told by the columns that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from portulan.atlas.history import Change, Edit, History, changes_between
from portulan.model import Assignment, PortRange, replace

if TYPE_CHECKING:
    from portulan.atlas.catalogue import Catalogue

ROW = Assignment(
    "ncr-ccl", (), PortRange(2528, 2528), "tcp", "NCR CCL", "[A]", "[A]", None, None, None, None, None, None
)
UDP = replace(ROW, transport="udp")


def test_rows_that_say_the_same_did_not_change() -> None:
    """White space is no change."""
    history = History((("2020-07", [ROW]), ("2025-03", [replace(ROW, description="NCR\n   CCL")])))
    assert [moment.changes for moment in history.of(2528)] == [(), ()]
    assert history.of(2527) == ()


def test_a_change_on_both_transports_is_told_once() -> None:
    """Rows of one service that changed in the same way are one change, on its transports."""
    after = (replace(ROW, reference="[RFC1]"), replace(UDP, reference="[RFC1]"))
    edits = (Edit("reference", None, "[RFC1]"),)
    assert changes_between((ROW, UDP), after) == (Change("changed", after[0], ("tcp", "udp"), edits),)


def test_rows_come_and_go() -> None:
    """A row that was not there before is added, one that is there no more is removed."""
    assert changes_between((ROW,), (UDP,)) == (Change("added", UDP, ("udp",), ()), Change("removed", ROW, ("tcp",), ()))


def test_ranges_that_assign_nothing_are_no_history() -> None:
    """IANA cuts its unassigned ranges anew all the time; that is no history of the numbers in them."""
    unassigned = replace(ROW, service_name=None, description="Unassigned", ports=PortRange(2500, 2600))
    assert History((("2020-07", [unassigned]), ("2025-03", []))).of(2528) == ()


@given(st.integers(min_value=0, max_value=65_535))
def test_the_last_moment_is_what_the_map_has(catalogue: Catalogue, port: int) -> None:
    """Of the snapshot that answers, the history has the rows that the map has."""
    moments = catalogue.history.of(port)
    entry = catalogue.index.entry(port)
    names = {row.service_name for on in entry.transports for row in on.assignments}
    names |= {row.service_name for on in entry.transports for row in on.other_rows if on.state == "reserved"}
    assert {row.service_name for row in moments[-1].rows if moments} == names if moments else not names
