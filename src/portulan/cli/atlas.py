"""`portulan atlas chart`: the chart as a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.atlas.chart import SQUARE, world
from portulan.atlas.labels import harbours_of
from portulan.atlas.layers import Layer
from portulan.atlas.terrain import terrain_of
from portulan.atlas.zoom import BLOCK, square
from portulan.errors import UsageError
from portulan.model import PORTS
from portulan.registry.index import open_index

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from portulan.atlas.ink import Theme

WIDTH, WIDEST = 1024, 8192


def add_arguments(parser: ArgumentParser) -> None:
    """Say what `chart` takes."""
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--svg", action="store_true", help="as SVG (as it is without)")
    kind.add_argument("--png", action="store_true", help="as PNG")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--port", type=_port, metavar="N", help="the 256 ports around one, by number and name")
    part.add_argument("--square", type=_square, metavar="FIRST", help="the square of 1,024 ports from FIRST on")
    parser.add_argument("--dark", action="store_true", help="for a dark ground; SVG else follows its reader")
    parser.add_argument("--width", type=_width, default=WIDTH, metavar="PIXELS", help="of a PNG (1024)")
    parser.add_argument("--output", metavar="FILE", help="write there, not to standard output")


def run(flags: Namespace) -> int:
    """Draw, write, and return the exit code."""
    if flags.png and flags.output is None and sys.stdout.isatty():
        message = "a terminal cannot show a PNG"
        raise UsageError(message, hint="portulan atlas chart --png --output chart.png")
    theme: Theme | None = "dark" if flags.dark else "light" if flags.png else None
    svg = _drawn(flags, theme)
    picture = _png(svg, flags.width) if flags.png else f"{svg}\n".encode()
    if flags.output is not None:
        Path(flags.output).write_bytes(picture)
        return 0
    sys.stdout.flush()
    sys.stdout.buffer.write(picture)
    return 0


def _drawn(flags: Namespace, theme: Theme | None) -> str:
    index = open_index()
    terrain = terrain_of(index)
    if flags.square is not None:
        return square(terrain, index, flags.square, SQUARE, theme=theme)
    if flags.port is not None:
        here = Layer(f"{flags.port}", "diamond", (flags.port,))
        return square(terrain, index, flags.port // BLOCK * BLOCK, BLOCK, theme=theme, layers=(here,))
    return world(terrain, harbours_of(index), theme=theme)


def _png(svg: str, width: int) -> bytes:
    try:
        from portulan.atlas.picture import png  # noqa: PLC0415  # only a PNG needs the library
    except ImportError as error:
        message = f"a PNG needs {error.name}"
        raise UsageError(message, hint="pip install 'portulan[atlas]', or: portulan atlas chart --svg") from error
    return png(svg, width)


def _port(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(PORTS)) and int(value) < PORTS):
        message = f"{value[:40]!r} is not a port number"
        raise UsageError(message, hint="port numbers go from 0 to 65535")
    return int(value)


def _square(value: str) -> int:
    first = _port(value)
    if first % SQUARE:
        message = f"no square begins at {first}"
        raise UsageError(message, hint=f"portulan atlas chart --square {first // SQUARE * SQUARE}")
    return first


def _width(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(WIDEST)) and 0 < int(value) <= WIDEST):
        message = f"{value[:40]!r} is not a width from 1 to {WIDEST}"
        raise UsageError(message, hint="portulan atlas chart --png --width 2048 --output chart.png")
    return int(value)
