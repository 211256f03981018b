"""What the chart asks of a language, and English, in which it is written."""

from __future__ import annotations

from typing import Protocol


class Words(Protocol):
    """The words of a language: what is written in English, said in it."""

    def gettext(self, message: str, /) -> str:
        """Return the translation of a message."""

    def number(self, number: int, /) -> str:
        """Return a count, its digits grouped by the custom of the language."""


class English:
    """The language in which all messages are written."""

    def gettext(self, message: str, /) -> str:
        """Return the message."""
        return message

    def number(self, number: int, /) -> str:
        """Return a count with commas."""
        return f"{number:,}"


ENGLISH = English()
