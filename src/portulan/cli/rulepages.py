"""The pages of the rules at the door: one page, or the list of all codes."""

from __future__ import annotations

import sys

from portulan.cli.terminal import Style, clean, print_rows, wrap
from portulan.rulebook import heading, headings, page, without_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.rulebook import Heading, RulePage

CODE = "    "
"""What a line of a Markdown example begins with."""


def print_page(code: str, form: str) -> int:
    """Print the page of a rule; return the exit code. Errors as in `rulebook.page`."""
    told, found = heading(code), page(code)
    if form == "json":
        from portulan.cli.formats import print_json  # noqa: PLC0415  # json costs a start-up
        from portulan.document import plain  # noqa: PLC0415

        text = {field: plain(getattr(found, field)) for field in found._fields if field not in {"code", "name"}}
        print_json({"schema": "portulan.rule/1", **plain(told), **text}, indent=2)
    else:
        sys.stdout.write(render_page(told, found, Style(sys.stdout)))
    return 0


def print_list(form: str) -> int:
    """Print every code with its name and attention; return the exit code."""
    told = headings()
    if form == "json":
        from portulan.cli.formats import print_json  # noqa: PLC0415  # as above
        from portulan.document import plain  # noqa: PLC0415

        print_json({"schema": "portulan.rules/1", "rules": plain(told)}, indent=2)
        return 0
    rows = [(one.code, one.attention or "note", one.name, one.title or one.judgement or "") for one in told]
    print_rows(("CODE", "ATTENTION", "NAME", "WHAT"), rows, Style(sys.stdout))
    return 0


def render_page(told: Heading, found: RulePage, style: Style) -> str:
    """Render a page for people, section by section under the page's own headings."""
    sections = [
        ("What it finds", found.finds),
        ("Why it matters", found.matters),
        ("Example", found.example),
        ("What to do", found.what_to_do),
        ("False alarms", found.false_alarms),
    ]
    parts = [
        style.paint(f"{told.code}: {told.name}", told.attention or "heading"),
        wrap(_shown(found.says), style.width, ""),
        *[f"{style.paint(title, 'heading')}\n{render_text(text, style)}" for title, text in sections if text],
    ]
    links = [wrap(clean(f"{to.title}: {to.url}"), style.width, "  ", "  ") for to in found.references]
    parts.append("\n".join([style.paint("References", "heading"), *links]))
    return "\n\n".join(parts) + "\n"


def render_text(markdown: str, style: Style) -> str:
    """Render paragraphs, lists and examples: folded to the width, examples as they are."""
    blocks = []
    for block in markdown.split("\n\n"):
        if block.startswith(CODE):
            blocks.append("\n".join([f"  {clean(line)}" for line in block.splitlines()]))
        else:
            blocks.append(
                "\n".join([wrap(_shown(text), style.width, "  ", hanging) for text, hanging in _items(block)])
            )
    return "\n\n".join(blocks)


def _items(block: str) -> Iterator[tuple[str, str]]:
    """Yield the items of a list, or a paragraph as it is, each with what its further lines begin with."""
    if not block.startswith("- "):
        yield block, ""
        return
    for item in f"\n{block}".split("\n- ")[1:]:
        yield f"- {item}", "  "


def _shown(markdown: str) -> str:
    return clean(" ".join(without_links(markdown).split()))
