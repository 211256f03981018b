"""What tests of the atlas share: the catalogue and the map of the packaged data, its terrain, and pages in English."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("jinja2", reason="needs the extra atlas")

from portulan import answer
from portulan.atlas.catalogue import Catalogue
from portulan.atlas.render import Renderer
from portulan.atlas.terrain import Terrain, terrain_of
from portulan.registry.index import Index, open_index

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """Return what the packaged data say, whatever this user has updated."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PORTULAN_DATA", str(tmp_path_factory.mktemp("data")))
        patched.setattr(answer, "_opened", None)
        found = Catalogue()
        assert found.history.snapshots
        assert found.rows
        yield found


@pytest.fixture(scope="session")
def renderer(catalogue: Catalogue) -> Renderer:
    """Return what renders pages in English."""
    return Renderer(catalogue=catalogue)


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Return the map that came with the package, whatever this user has updated."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PORTULAN_DATA", str(tmp_path_factory.mktemp("data")))
        return open_index()


@pytest.fixture(scope="session")
def terrain(index: Index) -> Terrain:
    """Return the terrain of that map."""
    return terrain_of(index)
