"""What tests of the atlas share: the map of the packaged data, what is made from it, IANA's table, English pages."""

from __future__ import annotations

import csv
from collections import defaultdict
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("jinja2", reason="needs the extra atlas")

from portulan.atlas.catalogue import Catalogue
from portulan.atlas.render import Renderer
from portulan.atlas.terrain import Terrain, terrain_of
from portulan.registry.index import Index, open_index
from tests.atlas import served
from tests.atlas.browser import chromium
from tests.test_every_port import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Return what the packaged data say."""
    found = Catalogue()
    assert found.history.snapshots
    assert found.rows
    return found


@pytest.fixture(scope="session")
def renderer(catalogue: Catalogue) -> Renderer:
    """Return what renders pages in English."""
    return Renderer(catalogue=catalogue)


@pytest.fixture(scope="session")
def index() -> Index:
    """Return the map that came with the package."""
    return open_index()


@pytest.fixture(scope="session")
def terrain(index: Index) -> Terrain:
    """Return the terrain of that map."""
    return terrain_of(index)


@pytest.fixture(scope="session")
def published(catalogue: Catalogue) -> dict[int, list[dict[str, str]]]:
    """Return the rows of IANA's table that speak of each port, read without Portulan."""
    path = files("portulan") / "registry" / "data" / "iana" / f"{catalogue.index.snapshot}.csv"
    rows = defaultdict(list)
    for row in csv.DictReader(path.read_text("utf-8").splitlines(keepends=True)):
        first, _, last = row["Port Number"].partition("-")
        for port in range(int(first), int(last or first) + 1) if first else ():
            rows[port].append(row)
    return rows


@pytest.fixture(scope="session")
def assigned(published: dict[int, list[dict[str, str]]]) -> set[int]:
    """Return the ports that a row assigns on some transport."""
    return {
        port
        for port, rows in published.items()
        if any(state_of(row["Service Name"], row["Description"]) == "assigned" for row in rows)
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def atlas() -> Iterator[str]:
    """Serve the public atlas."""
    with served.public() as base:
        yield base
