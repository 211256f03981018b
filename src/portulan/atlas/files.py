"""Files that pages name: style, script, font. The address changes with the file, so it may be kept for ever."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

FOLDER = Path(__file__).parent / "static"

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


def address(name: str) -> str:
    """Return the address of a file: `/static/atlas.3f9a1c0b.css` for `atlas.css`."""
    return f"/static/{_digested(FOLDER / name)}"


def files() -> dict[str, tuple[bytes, str]]:
    """Return what lies under /static/: content and media type by name, digest and all."""
    found = sorted(path for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES)
    return {_digested(path): (path.read_bytes(), MEDIA_TYPES[path.suffix]) for path in found}


@lru_cache(maxsize=64)
def _digested(path: Path) -> str:
    digest = blake2b(path.read_bytes(), digest_size=6).hexdigest()
    return f"{path.stem}.{digest}{path.suffix}"
