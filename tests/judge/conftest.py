"""What the tests of the judge share: the map."""

from __future__ import annotations

import pytest

from portulan.registry.index import Index, open_index


@pytest.fixture(scope="module")
def index() -> Index:
    """Open the map."""
    return open_index()
