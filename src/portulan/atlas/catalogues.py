"""The catalogues as files: texts are extracted from the source into a template, translations compiled for the wheel.

``python -m portulan.atlas.catalogues`` writes the template ``locale/portulan.pot`` anew; with a folder it compiles each
``portulan.po`` into it, under the same path, as the build does. A language with a fault is left out and said to be:
there are pages in complete languages only.
"""

from __future__ import annotations

import re
import sys
import tomllib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from babel.messages.catalog import Message

ROOM: Final = Path(__file__).parent
LOCALE: Final = ROOM / "locale"
TEMPLATE: Final = LOCALE / "portulan.pot"

_HEAD: Final = ("Language", "Plural-Forms", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")
_PLACE: Final = re.compile(r"\{[a-z_]*\}")
_TAG: Final = re.compile(r"</?[a-z][^<>]*>")


def remarks(file: BinaryIO, *_: object, **__: object) -> Iterator[tuple[int, str, str, list[str]]]:
    """Extract our remarks on what others say of a number; what they say is quoted."""
    for claim in tomllib.load(file)["claim"]:
        if claim["remark"]:
            yield 0, "gettext", claim["remark"], []


METHODS: Final = [
    ("**.py", "python"),
    ("templates/**.html", "jinja2.ext:babel_extract"),
    ("readings.toml", f"{__package__}.catalogues:remarks"),
]


def extract(room: Path = ROOM) -> Catalog:
    """Return the texts that are marked in the source, with the files that have them."""
    found = Catalog(project="Portulan", charset="utf-8")
    texts = sorted(extract_from_dir(room, METHODS, keywords=DEFAULT_KEYWORDS), key=lambda text: text[0])
    for path, _, message, comments, context in texts:
        found.add(message, None, [(Path(path).as_posix(), 0)], auto_comments=comments, context=context)
    return found


def render(catalogue: Catalog) -> bytes:
    """Return a catalogue as text. Nothing in it has a date, so that the same texts are the same bytes."""
    written = BytesIO()
    if catalogue.locale is not None:
        fields = [f'"{name}: {value}\\n"' for name, value in catalogue.mime_headers if name in _HEAD]
        head = [catalogue.header_comment, 'msgid ""', 'msgstr ""', *fields, "", ""]
        written.write("\n".join(head).encode())
    write_po(written, catalogue, omit_header=True, include_lineno=False, sort_output=True, width=100)
    return written.getvalue()


def read(path: Path = TEMPLATE) -> Catalog:
    """Read a catalogue, or the template."""
    with path.open("rb") as file:
        return read_po(file, locale=None if path == TEMPLATE else path.parents[1].name.replace("-", "_"))


def faults(catalogue: Catalog, template: Catalog) -> list[str]:
    """Say what a translation lacks or has too much, a line for each text: nothing where pages can be shown in it."""
    found = [f"no longer said: {message.id!r}" for message in catalogue.obsolete.values()]
    found += [
        f"no longer said: {message.id!r}"
        for message in catalogue
        if message.id and template.get(_texts(message.id)[0], message.context) is None
    ]
    for message in template:
        if message.id:
            translated = catalogue.get(_texts(message.id)[0], message.context)
            found += [f"{fault}: {message.id!r}" for fault in _faults_of(message, translated, catalogue.num_plurals)]
    return found


def _faults_of(message: Message, translated: Message | None, forms: int) -> Iterator[str]:
    ids, texts = _texts(message.id), _texts(translated.string if translated is not None else "")
    if translated is None or not all(texts) or len(texts) != (forms if len(ids) > 1 else 1):
        yield "missing"
        return
    if translated.fuzzy:
        yield "fuzzy"
    places = [{*_PLACE.findall(text)} for text in ids]
    said = [{*_PLACE.findall(text)} for text in texts]
    # "One product" may do without the number; the last form is for all numbers that no other is for.
    if said[-1] != places[-1] or not all(each in places for each in said):
        yield "other places"
    if any(sorted(_TAG.findall(text)) != sorted(_TAG.findall(ids[-1])) for text in texts):
        yield "other markup"


def _texts(said: str | Sequence[str] | None) -> list[str]:
    """Return a text, or its forms by number."""
    return [said or ""] if said is None or isinstance(said, str) else list(said)


def compile_all(folder: Path, locale: Path = LOCALE) -> None:
    """Compile each complete catalogue into a folder, under the same path."""
    template = read()
    for path in sorted(locale.glob("*/LC_MESSAGES/portulan.po")):
        catalogue = read(path)
        if lacking := faults(catalogue, template):
            sys.stderr.write(f"{path}: not compiled, {len(lacking)} faults; the first: {lacking[0]}\n")
            continue
        written = BytesIO()
        write_mo(written, catalogue)
        target = folder / path.relative_to(locale).with_suffix(".mo")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(written.getvalue())


def write_all(locale: Path = LOCALE) -> None:
    """Write the template anew, and bring each catalogue up to it: new texts wait for their translation, old ones go."""
    template = extract()
    TEMPLATE.write_bytes(render(template))
    for path in sorted(locale.glob("*/LC_MESSAGES/portulan.po")):
        catalogue = read(path)
        catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
        catalogue.obsolete.clear()
        path.write_bytes(render(catalogue))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        compile_all(Path(sys.argv[1]))
    else:
        write_all()
