"""`portulan atlas chart`: the chart as a file."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from tests.cli.door import COMMAND, portulan

if TYPE_CHECKING:
    from pathlib import Path


def test_the_chart_comes_as_svg() -> None:
    """Without an option the chart is an SVG on standard output that follows its reader's theme."""
    done = portulan("atlas", "chart")
    assert (done.returncode, done.stderr) == (0, "")
    assert ET.fromstring(done.stdout).tag.endswith("svg")  # noqa: S314  # it was made here
    assert "prefers-color-scheme" in done.stdout


def test_dark_is_dark() -> None:
    """With --dark the file is for a dark ground, whatever its reader prefers."""
    done = portulan("atlas", "chart", "--svg", "--dark", "--square", "1024")
    assert "prefers-color-scheme" not in done.stdout
    assert "#17130e" in done.stdout


def test_a_png_goes_to_a_file_or_a_pipe(tmp_path: Path) -> None:
    """--png writes a PNG of the wanted width, to --output or to what reads standard output."""
    target = tmp_path / "chart.png"
    done = portulan("atlas", "chart", "--png", "--port", "2528", "--width", "300", "--output", str(target))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    piped = subprocess.run(
        [*COMMAND, "atlas", "chart", "--png", "--port", "2528", "--width", "300"], capture_output=True, check=True
    )
    assert target.read_bytes() == piped.stdout
    assert piped.stdout.startswith(b"\x89PNG")
    assert int.from_bytes(piped.stdout[16:20]) == 300


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--square", "100"), "--square 0"),
        (("--port", "65536"), "from 0 to 65535"),
        (("--port", "1", "--square", "0"), "--help"),
        (("--png", "--width", "0"), "--width 2048"),
    ],
)
def test_what_cannot_be_drawn_is_said(words: tuple[str, ...], hint: str) -> None:
    """A wrong number or two parts at once are an error with what to do, and nothing is drawn."""
    done = portulan("atlas", "chart", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert hint in done.stderr


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A folder that is not there is an error, no traceback."""
    done = portulan("atlas", "chart", "--output", str(tmp_path / "none" / "chart.svg"))
    assert done.returncode == 2
    assert "chart.svg" in done.stderr
