"""The pages of the rules: what each finds, why that matters, what to do; read from where they are written.

That place is docs/rules/ of the repository, a file for each code; an installation has the same files beside this one.
Names, titles and attention are not theirs: `judge.rules` has the table.
"""

from __future__ import annotations

import re
from pathlib import Path

from portulan.errors import NotFound, PortulanError
from portulan.judge.rules import FINDINGS, NOTES, RULES
from portulan.model import Citation, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.model import Attention, Judgement

SECTIONS = {
    "What it finds": "finds",
    "Why it matters": "matters",
    "Example": "example",
    "What to do": "what_to_do",
    "References": "references",
}
"""The headings that every page has, and the fields that their texts are."""
FALSE_ALARMS = ("False alarms", "Known false alarms")
"""The heading that a page may have beside them, in one of these words."""

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_REFERENCE = re.compile(r"^- \[(.+)\]\((https?://\S+)\)(.*)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]*)\)")


class Heading(Value):
    """What the table says of a code.

    A verdict's rule has a judgement and an attention; what a check alone finds has an attention and a title; a note has
    neither.
    """

    code: str
    name: str
    judgement: Judgement | None
    attention: Attention | None
    title: str | None


class RulePage(Value):
    """The page of one rule, in the Markdown that it is written in; `says` is what stands below its title."""

    code: str
    name: str
    says: str
    finds: str
    matters: str
    example: str
    what_to_do: str
    false_alarms: str | None
    references: tuple[Citation, ...]


def headings() -> tuple[Heading, ...]:
    """Return what the table says of each code, in their order."""
    found = [Heading(code, name, judgement, attention, None) for code, (name, judgement, attention) in RULES.items()]
    found += [Heading(code, name, None, attention, title) for code, (name, title, attention) in FINDINGS.items()]
    found += [Heading(code, name, None, None, None) for code, (name, _) in NOTES.items()]
    return tuple(sorted(found, key=lambda heading: heading.code))


def heading(code: str) -> Heading:
    """Return what the table says of a code, in either case. Raises NotFound for one that it does not have."""
    for found in headings():
        if found.code == code.upper():
            return found
    message = f"no rule has the code {code[:40]!r}"
    raise NotFound(message, hint="portulan why lists them all")


def page(code: str) -> RulePage:
    """Read the page of a rule.

    Raises NotFound for a code that the table does not have, and PortulanError for a page that is missing or incomplete.
    """
    code = heading(code).code
    path = folder() / f"{code}.md"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        message = f"the page of {code} cannot be read: {path}: {why}"
        raise PortulanError(message, hint="install portulan again") from None
    return parse_page(code, text)


def folder() -> Path:
    """Return where the pages are: beside this file, or in the repository that it is run from."""
    here = Path(__file__).parent
    return here if (here / f"{next(iter(RULES))}.md").exists() else here.parents[2] / "docs" / "rules"


def parse_page(code: str, text: str) -> RulePage:
    """Take a page apart by its headings. Raises PortulanError for an incomplete one, and names what is missing."""
    before, *parts = _HEADING.split(text)
    title, _, says = before.partition("\n")
    name = title.removeprefix(f"# {code}: ")
    if name == title:
        raise _incomplete(code, f"it does not begin with '# {code}: '")
    texts = dict(zip(parts[::2], [part.strip("\n") for part in parts[1::2]], strict=True))
    missing = [section for section in SECTIONS if not texts.get(section)]
    if missing:
        raise _incomplete(code, f"it has no section {missing[0]!r}")
    fields = {field: texts[section] for section, field in SECTIONS.items()}
    listed = fields.pop("references")
    references = tuple([Citation(url, named + rest) for named, url, rest in _REFERENCE.findall(listed)])
    if len(references) != len(listed.splitlines()):
        raise _incomplete(code, "its references are not a link a line")
    false_alarms = next((texts[section] for section in FALSE_ALARMS if section in texts), None)
    return RulePage(code, name, says.strip(), references=references, false_alarms=false_alarms, **fields)


def _incomplete(code: str, why: str) -> PortulanError:
    return PortulanError(f"the page of {code} cannot be used: {why}", hint="install portulan again")


def without_links(markdown: str) -> str:
    """Return a text with each link as its words, and behind them the address where that leads out of the pages.

    >>> without_links("see [PT101](PT101.md) and [RFC 6335](https://www.rfc-editor.org/rfc/rfc6335)")
    'see PT101 and RFC 6335 (https://www.rfc-editor.org/rfc/rfc6335)'
    """
    return _LINK.sub(lambda link: f"{link[1]} ({link[2]})" if "://" in link[2] else link[1], markdown)


def first_sentence(markdown: str) -> str:
    """Return the first sentence of a text, on one line and without links; the paragraph where that has no full stop."""
    paragraph = " ".join(without_links(markdown.partition("\n\n")[0]).split())
    sentence, stop, _ = paragraph.partition(". ")
    return sentence + "." if stop else paragraph
