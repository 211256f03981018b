"""The coast: what a path encloses is what the area is, whatever its shape."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portulan.atlas.coast import path_of
from tests.atlas.paths import filled, outlines_of

GRIDS = st.integers(1, 9).flatmap(
    lambda width: st.lists(st.lists(st.booleans(), min_size=width, max_size=width), min_size=1, max_size=9)
)


@given(grid=GRIDS, half=st.integers(1, 16), data=st.data())
def test_a_path_covers_its_cells_and_no_others(grid: list[list[bool]], half: int, data: st.DataObject) -> None:
    """Filled by the even-odd rule, of any size and any roundness, a path covers the centre of each cell of its area."""
    radius = data.draw(st.integers(1, half))
    path = path_of(lambda x, y: grid[y][x], len(grid[0]), len(grid), half, radius)
    assert filled(path, len(grid[0]), len(grid), 2 * half) == grid


def test_cells_that_meet_at_a_corner_are_two_islands() -> None:
    """Two cells that touch only diagonally have two outlines; two side by side have one."""
    assert len(outlines_of(path_of(lambda x, y: x == y, 2, 2))) == 2
    assert len(outlines_of(path_of(lambda _x, y: y == 0, 2, 2))) == 1


def test_a_lake_is_an_outline_of_its_own() -> None:
    """A ring of land has two outlines."""
    assert len(outlines_of(path_of(lambda x, y: (x, y) != (1, 1), 3, 3))) == 2


def test_nothing_has_no_outline() -> None:
    """An empty area is an empty path."""
    assert path_of(lambda _x, _y: False, 5, 5) == ""
