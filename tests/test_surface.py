"""The public surface: what `import portulan` offers, and what an installation holds beside the code."""

from __future__ import annotations

import importlib.metadata
import pickle
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest

import portulan

ROOT = Path(__file__).parents[1]

SHIPPED = [
    "py.typed",
    "atlas/fonts/Alegreya-Medium.ttf",
    "atlas/fonts/Alegreya-MediumItalic.ttf",
    "atlas/harbours.toml",
    "atlas/static/chart.css",
    "atlas/static/chart.js",
    "cli/data/portulan.1",
    "cli/data/portulan-observe.service",
    "cli/data/portulan-observe.timer",
    "cli/data/portulan-watch.service",
    "cli/data/completions/portulan.bash",
    "cli/data/completions/_portulan",
    "cli/data/completions/portulan.fish",
    "registry/registry.idx",
    "registry/search.sqlite",
    "registry/data/known-uses.csv",
    "registry/data/executables.csv",
    "registry/data/citations.csv",
    "atlas/locale/portulan.pot",
    "atlas/readings.toml",
    "atlas/static/atlas.css",
    "atlas/static/search.js",
    "atlas/templates/port.html",
    "rulebook/PT101.md",
    "schemas/event-1.json",
    "schemas/lookup-1.json",
]


def test_all_is_what_the_module_exposes() -> None:
    """Every name of `__all__` is there, and everything that is there and public is a name of `__all__`."""
    for name in portulan.__all__:
        getattr(portulan, name)
    there = {
        name
        for name, value in vars(portulan).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)  # rooms become attributes when they are imported
        and name not in {"annotations", "TYPE_CHECKING"}
    }
    assert there == set(portulan.__all__) - {"__version__"}
    assert len(portulan.__all__) == len(set(portulan.__all__))
    assert set(portulan.__all__) <= set(dir(portulan))


def test_no_public_name_hides_behind_a_room() -> None:
    """A name that is also a module means the same, whichever was asked for first, in a fresh interpreter."""
    modules = {path.stem for path in (ROOT / "src" / "portulan").iterdir() if path.suffix in {"", ".py"}}
    for name in sorted(modules & set(portulan.__all__)):
        for first in (f"portulan.{name}", f"import portulan.{name}"):
            code = f"import portulan\n{first}\nassert callable(portulan.{name}), portulan.{name}"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
            assert done.returncode == 0, f"portulan.{name} is a module after {first!r}"


@pytest.mark.parametrize("name", sorted(set(portulan.__all__) - {"__version__"}))
def test_a_public_name_is_documented_and_ours(name: str) -> None:
    """Each public name has a docstring and comes from Portulan, not from a library that it happens to import."""
    value = getattr(portulan, name)
    assert value.__doc__
    assert value.__module__.partition(".")[0] == "portulan"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """The lazy surface refuses like any other module."""
    with pytest.raises(AttributeError, match="no attribute 'helpers'"):
        portulan.helpers  # noqa: B018  # that is the test


def test_a_value_survives_a_pickle() -> None:
    """Public values can be handed to another process and are equal there."""
    endpoint = portulan.Endpoint(address="127.0.0.1", port=2528)
    assert pickle.loads(pickle.dumps(endpoint)) == endpoint  # noqa: S301  # our own bytes


@pytest.mark.parametrize("name", SHIPPED)
def test_an_installation_holds(name: str) -> None:
    """Types, completions, man page, data, indexes and schemas are installed beside the code."""
    assert files("portulan").joinpath(name).is_file()


def test_the_version_is_one() -> None:
    """The package, its metadata and the change log agree on the version."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", portulan.__version__)
    assert f"## [{portulan.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    try:
        installed = importlib.metadata.version("portulan")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("portulan is not installed beside this interpreter")
    assert installed == portulan.__version__
