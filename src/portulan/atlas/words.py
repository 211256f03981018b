"""The languages of the pages: gettext's catalogues, and numbers and dates as each language writes them.

What people read is written in English in the source and marked: ``gettext("...")`` in Python, ``_("...")`` in
templates, with named placeholders in braces. Catalogues lie in ``locale/LANG/LC_MESSAGES/portulan.po``; the binary form
beside them is made when Portulan is built. The registry's own text is never translated.
"""

from __future__ import annotations

import gettext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal

if TYPE_CHECKING:
    from datetime import date

DOMAIN: Final = "portulan"
ENGLISH: Final = "en"
"""The language of the texts in the source, which needs no catalogue."""

LOCALE: Final = Path(__file__).parent / "locale"


class Words:
    """What the pages say, in one language.

    `prefix` stands before the path of each page in it (``/ko``); English has none. Raises FileNotFoundError for a
    language without a catalogue.
    """

    def __init__(self, language: str = ENGLISH) -> None:
        """Read the catalogue."""
        self.language = language
        self.prefix = "" if language == ENGLISH else f"/{language}"
        self._locale = Locale.parse(language, sep="-")
        self._catalogue = (
            gettext.NullTranslations() if language == ENGLISH else gettext.translation(DOMAIN, LOCALE, [language])
        )
        self.gettext = self._catalogue.gettext
        self.ngettext = self._catalogue.ngettext
        self.pgettext = self._catalogue.pgettext

    def number(self, number: int) -> str:
        """Write a count: 6,350."""
        return format_decimal(number, locale=self._locale)

    def date(self, day: date) -> str:
        """Write a day."""
        return format_date(day, "long", locale=self._locale)


def languages() -> tuple[str, ...]:
    """Return the languages that there are pages in, English first."""
    return ENGLISH, *sorted(path.parents[1].name for path in LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
