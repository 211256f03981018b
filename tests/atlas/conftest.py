"""What tests of pages share: the catalogue of the packaged data, and pages in English."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("jinja2", reason="needs the extra atlas")

from portulan import answer
from portulan.atlas.catalogue import Catalogue
from portulan.atlas.render import Renderer

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
