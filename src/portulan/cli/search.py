"""`portulan search`: words in, the likely services and uses out."""

from __future__ import annotations

import sys

from portulan.cli import say, say_passed_over
from portulan.cli.terminal import Style, clean, print_rows
from portulan.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.cli import Options
    from portulan.registry.search import Hit


def run_search(words: list[str], options: Options) -> int:
    """Search the map and print the hits, the likely one first; return 1 where there is none."""
    if not words:
        message = "search needs words"
        raise UsageError(message, hint="portulan search voip mail")
    from portulan.registry.search import Hit, search  # noqa: PLC0415  # after the words are checked

    asked = " ".join(words)
    hits = search(asked, options.limit)
    if options.format != "text":
        from portulan.cli.formats import print_rows as print_data_rows  # noqa: PLC0415  # json costs a start-up
        from portulan.document import plain  # noqa: PLC0415

        rows = [plain(hit) for hit in hits]
        print_data_rows("portulan.search/1", Hit._fields, rows, options.format, query=asked)
    else:
        cells = [(hit.ports or "no port", "/".join(hit.transports), hit.name, _what(hit)) for hit in hits]
        print_rows(("PORT", "TRANSPORT", "NAME", "WHAT"), cells, Style(sys.stdout))
    sys.stdout.flush()  # so that what is said comes after what was found
    say_passed_over()
    if not hits:
        say(f"nothing is found for {clean(asked)[:80]!r}\n")
        return 1
    return 0


def _what(hit: Hit) -> str:
    """Return what was found, and in parentheses what matched where that is not to be seen."""
    return " ".join(text for text in (hit.description, f"({hit.matched})" if hit.matched else "") if text)
