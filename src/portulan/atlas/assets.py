"""The files that pages load: style, script, icon and the names to search, each under an address that has its digest.

Such an address never changes what it answers, so it may be kept for ever.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from portulan.atlas.rose import icon
from portulan.model import Value

if TYPE_CHECKING:
    from portulan.atlas.catalogue import Catalogue

STATIC: Final = Path(__file__).parent / "static"
NAMES: Final = "names.json"
ICON: Final = "favicon.svg"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


class Asset(Value):
    """A file: its address, its media type and its content."""

    address: str
    media_type: str
    content: bytes


def read_assets(catalogue: Catalogue, folder: Path = STATIC) -> dict[str, Asset]:
    """Return the files by their names without a digest (``atlas.css``)."""
    found = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in TYPES}
    found[NAMES] = catalogue.names
    found[ICON] = icon().encode()
    return {name: asset_of(name, content) for name, content in found.items()}


def asset_of(name: str, content: bytes) -> Asset:
    """Return a file under its address."""
    stem, dot, suffix = name.rpartition(".")
    address = f"/static/{stem}.{sha256(content).hexdigest()[:12]}{dot}{suffix}"
    return Asset(address, TYPES[f".{suffix}"], content)
