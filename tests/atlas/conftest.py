"""What tests of the atlas share: the map that came with the package, and its terrain."""

from __future__ import annotations

import pytest

from portulan.atlas.terrain import Terrain, terrain_of
from portulan.registry.index import Index, open_index


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
