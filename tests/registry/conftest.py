"""What the tests of the map share: IANA's newest rows, the facts, and the files built from them once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.registry import build
from portulan.registry.facts import read_facts
from portulan.registry.iana import parse_csv
from portulan.registry.index import INDEX_NAME, Index

if TYPE_CHECKING:
    from pathlib import Path

    from portulan.model import Assignment
    from portulan.registry.facts import Facts

NEWEST = "2026-02"


@pytest.fixture(scope="session")
def rows() -> list[Assignment]:
    """Return IANA's rows of the newest packaged snapshot, as published."""
    return parse_csv((build.IANA / f"{NEWEST}.csv").read_bytes())


@pytest.fixture(scope="session")
def facts() -> Facts:
    """Return the project's own facts."""
    return read_facts()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with both files, built from the packaged data."""
    folder = tmp_path_factory.mktemp("built")
    build.build_packaged(folder)
    return folder


@pytest.fixture(scope="session")
def index(built: Path) -> Index:
    """Return the index built from the packaged data."""
    return Index(str(built / INDEX_NAME))


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty data folder that is the user's for this test."""
    folder = tmp_path / "data"
    monkeypatch.setenv("PORTULAN_DATA", str(folder))
    return folder
