"""The catalogues as files: texts are extracted from the source into a template, translations compiled for the wheel.

``python -m portulan.atlas.catalogues`` writes the template ``locale/portulan.pot`` anew; with a folder it compiles each
``portulan.po`` into it, under the same path, as the build does.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOM: Final = Path(__file__).parent
LOCALE: Final = ROOM / "locale"
TEMPLATE: Final = LOCALE / "portulan.pot"

METHODS: Final = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]


def extract(room: Path = ROOM) -> Catalog:
    """Return the texts that are marked in the source, with the files that have them."""
    found = Catalog(project="Portulan", charset="utf-8")
    texts = sorted(extract_from_dir(room, METHODS, keywords=DEFAULT_KEYWORDS), key=lambda text: text[0])
    for path, _, message, comments, context in texts:
        found.add(message, None, [(Path(path).as_posix(), 0)], auto_comments=comments, context=context)
    return found


def render(catalogue: Catalog) -> bytes:
    """Return a template as text. It has no date, so that the same texts are the same bytes."""
    written = BytesIO()
    write_po(written, catalogue, omit_header=True, include_lineno=False, sort_output=True, width=100)
    return written.getvalue()


def compiled(path: Path) -> bytes:
    """Return a catalogue in the form that programs read; what is not translated, or only perhaps, is not in it."""
    written = BytesIO()
    with path.open("rb") as file:
        write_mo(written, read_po(file))
    return written.getvalue()


def compile_all(folder: Path, locale: Path = LOCALE) -> None:
    """Compile each catalogue into a folder, under the same path."""
    for path in sorted(locale.glob("*/LC_MESSAGES/portulan.po")):
        target = folder / path.relative_to(locale).with_suffix(".mo")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(compiled(path))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        compile_all(Path(sys.argv[1]))
    else:
        TEMPLATE.write_bytes(render(extract()))
