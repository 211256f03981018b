"""What a wheel of Portulan is built from, as it is in this checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]

OUT_OF_REACH = "No matching distribution found for hatchling"
"""What pip says where the package index is out of reach: the build back end comes from there."""

_FILES = (".pre-commit-hooks.yaml", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "NOTICE")


def copy_source(folder: Path) -> None:
    """Copy it into a folder that is not there yet."""
    built = shutil.ignore_patterns("__pycache__", "registry.idx*", "search.sqlite*")
    for name in ("src", "docs", "LICENSES"):
        shutil.copytree(ROOT / name, folder / name, ignore=built)
    for name in _FILES:
        shutil.copy(ROOT / name, folder / name)
