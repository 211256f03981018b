"""The build: the same facts give the same bytes, whole or not at all, and they go into the wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from portulan.registry import build
from portulan.registry.index import INDEX_NAME, SEARCH_NAME, Index

ROOT = Path(__file__).parents[2]


@pytest.mark.slow  # builds everything twice
def test_building_twice_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """Nothing of the time, the folder or the order of sets gets into the files."""
    program = (
        "import sys; from pathlib import Path; from portulan.registry import build; "
        "build.build_packaged(Path(sys.argv[1]))"
    )
    words = [sys.executable, "-c", program, str(tmp_path)]
    subprocess.run(words, check=True, env={"PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": "2528"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [INDEX_NAME, SEARCH_NAME]
    for name in (INDEX_NAME, SEARCH_NAME):
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes(), name


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """Where writing fails, the file is as it was and nothing lies about."""
    file = tmp_path / "file"
    build.write_atomically(file, b"one")
    with pytest.raises(TypeError):
        build.write_atomically(file, "no bytes")  # type: ignore[arg-type]
    assert file.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [file]


def test_rfcs_cited_in_the_past_are_kept(rows: list[object]) -> None:
    """The sctp rows cited RFC 4960 in 2020; now they cite its successor."""
    formerly = build.former_references(rows, "2026-02")  # type: ignore[arg-type]
    assert "[RFC4960] in 2020-07" in formerly["ssh"]
    assert build.former_references(rows, "2020-07") == {}  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_wheel_holds_the_built_files(tmp_path: Path) -> None:
    """The build hook puts index and search into the wheel, not into the source, and from a source distribution, too."""
    pytest.importorskip("hatchling")
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns(
        ".git", ".venv", "*_cache", "__pycache__", INDEX_NAME, SEARCH_NAME, "tests", "bench"
    )
    shutil.copytree(ROOT, source, ignore=ignored)
    make = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path / "dist")]
    subprocess.run([*make, "-t", "sdist"], cwd=source, check=True, capture_output=True)
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    shutil.unpack_archive(sdist, tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    subprocess.run([*make, "-t", "wheel"], cwd=unpacked, check=True, capture_output=True)
    assert not (unpacked / "src" / "portulan" / "registry" / INDEX_NAME).exists()
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    folder = tmp_path / "site" / "portulan" / "registry"
    assert Index(str(folder / INDEX_NAME)).services("ssh")
    assert (folder / SEARCH_NAME).stat().st_size > 1 << 20
    assert (folder / "data" / "iana" / "2020-07.csv").exists()
