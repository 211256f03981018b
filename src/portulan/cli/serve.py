"""`portulan atlas serve`: the atlas in a browser, with this machine in it, or for everybody and without."""

from __future__ import annotations

import functools
import gc
import signal
import sys
from typing import TYPE_CHECKING

from portulan.cli import find_rulebook, say, say_error
from portulan.errors import ClaimConflict, NotSupported, UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp

    from portulan.atlas.live import Live
    from portulan.atlas.render import Renderer
    from portulan.atlas.terrain import Terrain

OWNER = "portulan/atlas"
"""Whose the port is in the ledger: the same whatever folder it is started in."""

PUBLIC_PORT = 8_080
"""Where the public atlas is if nobody says otherwise: IANA's http-alt. To choose one would be a look at the machine."""

LARGEST = 65_535


def add_arguments(parser: ArgumentParser) -> None:
    """Say what the verb takes."""
    parser.add_argument("--public", action="store_true", help="for everybody, on every address: the map alone")
    parser.add_argument("--host", metavar="NAME", help="the name by which everybody calls it (with --public)")
    default = f"none: what portulan/atlas has claimed, or suggest's; with --public {PUBLIC_PORT}"
    parser.add_argument("--port", type=_number, metavar="N", help=default)


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(LARGEST)) and 0 < int(value) <= LARGEST):
        message = f"{value[:40]!r} is not a number from 1 to {LARGEST}"
        raise UsageError(message, hint="portulan atlas serve --port 15873")
    return int(value)


def run(flags: Namespace) -> int:
    """Serve until it is interrupted, and return the exit code."""
    if flags.public != (flags.host is not None):
        message = "a public atlas needs the name that it is called by" if flags.public else "--host is for --public"
        raise UsageError(message, hint="portulan atlas serve --public --host atlas.example.org --port 8080")
    from portulan.held import hold  # noqa: PLC0415  # the hot questions do without

    make = functools.partial(_public, flags.host) if flags.public else _local
    port = flags.port or (PUBLIC_PORT if flags.public else None)
    try:
        held = hold(OWNER, port=port, public=flags.public, purpose="the atlas")
    except ClaimConflict as error:
        say_error(error.message, error.hint)
        return 1
    with held:
        try:
            from portulan.atlas.serving import serve as answer  # noqa: PLC0415  # its libraries may be missing

            app, before_end = make(held.port)
        except ModuleNotFoundError as error:
            message = f"the atlas needs {error.name}"
            raise UsageError(message, hint="pip install 'portulan[atlas]'") from error
        gc.freeze()  # what is there now stays to the end, and need not be looked through again and again
        gc.enable()  # the program does without, since it ends soon; this one does not
        return 130 if answer(app, held.sockets, before_end) == signal.SIGINT else 0


def _public(host: str, port: int) -> tuple[ASGIApp, Callable[[], None]]:
    """Make the atlas for everybody; nothing on this path knows how to look at the machine."""
    from portulan.answer import open_map  # noqa: PLC0415  # the hot questions do without
    from portulan.atlas.picture import card  # noqa: PLC0415  # its libraries may be missing
    from portulan.atlas.public import Public  # noqa: PLC0415  # as above
    from portulan.atlas.sitemap import base_of  # noqa: PLC0415  # as above
    from portulan.atlas.terrain import terrain_of  # noqa: PLC0415  # as above

    terrain, index = terrain_of(open_map()), open_map()
    renderers = _renderers(terrain, base_of(host))
    app = Public(renderers, host, files=_files(renderers), picture=lambda number: card(terrain, index.entry(number)))
    app.prepare()
    say(f"the atlas of {host} is on port {port}; Ctrl-C ends it\n")
    return app, lambda: None


def _local(port: int) -> tuple[ASGIApp, Callable[[], None]]:
    """Make the atlas with this machine in it, for this user."""
    from portulan.answer import open_map  # noqa: PLC0415  # the hot questions do without
    from portulan.atlas.live import Live  # noqa: PLC0415  # its libraries may be missing
    from portulan.atlas.local import Keys, Local  # noqa: PLC0415  # as above
    from portulan.atlas.terrain import terrain_of  # noqa: PLC0415  # as above
    from portulan.watched import check_system, watch  # noqa: PLC0415  # as above

    live: Live | None = Live(lambda wake: watch(wake=wake))
    try:
        check_system()
    except NotSupported:
        live = None  # a reload shows the same
    renderers = _renderers(terrain_of(open_map()))
    say("open this address in a browser; it is good for one, and then another is printed; Ctrl-C ends it\n")
    app = Local(renderers, Keys(port, _print), files=_files(renderers), live=live, policy=find_rulebook(None))
    return app, live.close if live is not None else lambda: None


def _renderers(terrain: Terrain, site: str | None = None) -> dict[str, Renderer]:
    """Make what renders in each language."""
    from portulan.atlas.catalogue import Catalogue  # noqa: PLC0415  # its libraries may be missing
    from portulan.atlas.drawings import Drawings  # noqa: PLC0415  # as above
    from portulan.atlas.render import Renderer  # noqa: PLC0415  # as above
    from portulan.atlas.words import Words, languages  # noqa: PLC0415  # as above

    catalogue = Catalogue()
    words = [Words(language) for language in languages()]
    return {
        one.language: Renderer(
            one.language,
            catalogue=catalogue,
            drawings=Drawings(catalogue.index, terrain=terrain, words=one, prefix=one.prefix),
            site=site,
        )
        for one in words
    }


def _files(renderers: Mapping[str, Renderer]) -> dict[str, tuple[bytes, str]]:
    """Return what the pages load, by its name below /static/."""
    assets = next(iter(renderers.values())).assets.values()
    return {one.address.removeprefix("/static/"): (one.content, one.media_type) for one in assets}


def _print(address: str) -> None:
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
