"""IANA's registry from its XML, as the same rows that its CSV gives.

Expat reads it piece by piece; a document type is refused outright, so that no entity can be declared and nothing
outside the file is ever asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from portulan.registry.iana import COLUMNS, MAX_COLUMN, MAX_ROWS, XML, NotIana, parse_row

if TYPE_CHECKING:
    from portulan.model import Assignment

NAMESPACE: Final = "http://www.iana.org/assignments"

_MAX_DEPTH = 20
_PIECE = 65_536
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?")

_TEXTS: Final = {
    "name": "Service Name",
    "number": "Port Number",
    "protocol": "Transport Protocol",
    "description": "Description",
    "sc": "Service Code",
    "unauthorized": "Unauthorized Use Reported",
    "note": "Assignment Notes",
}
"""The elements of a record that are a column of the CSV as they stand."""


class _Reader:
    """What expat calls: keeps the record being read, the rows and the date of the registry."""

    def __init__(self) -> None:
        self.rows: list[Assignment] = []
        self.updated: str | None = None
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.StartDoctypeDeclHandler = self.refuse
        self.parser.EntityDeclHandler = self.refuse
        self._path: list[str] = []
        self._texts: list[list[str]] = []
        self._lengths: list[int] = []
        self._attributes: list[dict[str, str]] = []
        self._record: dict[str, str] = {}

    def refuse(self, *_declared: object) -> None:
        raise NotIana(XML, "it declares a document type")

    def start(self, element: str, attributes: dict[str, str]) -> None:
        name = element.removeprefix(f"{NAMESPACE} ")
        if not self._path and (name != "registry" or attributes.get("id") != "service-names-port-numbers"):
            raise NotIana(XML, f"the outermost element is {element[:60]!r}")
        if len(self._path) == _MAX_DEPTH:
            raise NotIana(XML, "elements are nested too deeply")
        self._path.append(name)
        self._texts.append([])
        self._lengths.append(0)
        self._attributes.append(attributes)
        if self._path == ["registry", "record"]:
            self._record = {
                "Registration Date": attributes.get("date", ""),
                "Modification Date": attributes.get("updated", ""),
            }

    def text(self, data: str) -> None:
        """Keep a piece of the innermost open element: within a record, or of the date; nothing else counts."""
        if len(self._path) > (1 if self._path[1:2] == ["updated"] else 2):
            self._texts[-1].append(data)
            self._lengths[-1] += len(data)
            self._cap(self._path[-1], self._lengths[-1])

    @staticmethod
    def _cap(name: str, length: int) -> None:
        if length > MAX_COLUMN:
            raise NotIana(XML, f"{name[:60]!r} is too long")

    def end(self, _element: str) -> None:
        name = self._path.pop()
        text = "".join(self._texts.pop())
        self._lengths.pop()
        attributes = self._attributes.pop()
        if name == "br":
            self.text("\n")
        elif name == "xref":
            self._refer(attributes, text)
        elif self._path == ["registry"] and name == "updated" and _DATE.fullmatch(text.strip()):
            self.updated = text.strip()
        elif self._path == ["registry"] and name == "record":
            self._finish()
        elif self._path == ["registry", "record"] and name in _TEXTS:
            self._record[_TEXTS[name]] = _clean(text)

    def _refer(self, attributes: dict[str, str], text: str) -> None:
        """Take a reference: to a person, or to a document; inside a text it is part of the text."""
        kind = attributes.get("type", "")
        data = attributes.get("data", "")
        shown = f"[{text.strip() or (data.upper() if kind == 'rfc' else data)}]"
        if self._path == ["registry", "record"]:
            self._join("Contact" if kind == "person" else "Reference", shown)
        elif self._path == ["registry", "record", "assignee"]:
            self._join("Assignee", shown)
        else:
            self.text(shown)

    def _join(self, column: str, shown: str) -> None:
        self._record[column] = self._record.get(column, "") + shown
        self._cap(column, len(self._record[column]))

    def _finish(self) -> None:
        # A record that names no assignee is assigned to its contact; the CSV then has the same in both columns.
        self._record.setdefault("Assignee", self._record.get("Contact", ""))
        row = [self._record.get(column, "") for column in COLUMNS]
        self.rows.append(parse_row(row, self.parser.CurrentLineNumber, XML))
        if len(self.rows) > MAX_ROWS:
            raise NotIana(XML, f"it has more than {MAX_ROWS} records")


def parse_xml(data: bytes) -> tuple[list[Assignment], str | None]:
    """Return IANA's rows, in order, and the date that the registry gives itself.

    Raises NotIana where the document is not IANA's registry of service names, or declares a document type.
    """
    reader = _Reader()
    try:
        for start in range(0, len(data), _PIECE):
            reader.parser.Parse(data[start : start + _PIECE], False)  # noqa: FBT003  # expat takes no names
        reader.parser.Parse(b"", True)  # noqa: FBT003
    except expat.ExpatError as error:
        raise NotIana(XML, str(error)) from None
    return reader.rows, reader.updated


def _clean(text: str) -> str:
    """Return a text line by line without the indentation of the XML, as the CSV has it."""
    return "\n".join(line for line in map(str.strip, text.splitlines()) if line)
