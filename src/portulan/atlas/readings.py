"""Claims about a number that contradict one another, with their sources: ``readings.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from portulan.model import Value

if TYPE_CHECKING:
    from datetime import date

    from portulan.model import Attestation

FILE: Final = Path(__file__).with_name("readings.toml")

QUESTIONS: Final = ("name", "direction")
"""What claims may be about, in the order of a page."""


class Reading(Value):
    """What somebody says of a number: about which question, in which words, and where; `url` may be empty."""

    port: int
    about: str
    says: str
    remark: str
    attestation: Attestation
    url: str
    title: str
    read: date


def read_readings(path: Path = FILE) -> dict[int, tuple[Reading, ...]]:
    """Return the claims of each number. Raises KeyError or TypeError where the file is not as it says of itself."""
    by_port: dict[int, tuple[Reading, ...]] = {}
    for claim in tomllib.loads(path.read_text("utf-8"))["claim"]:
        reading = Reading(**claim)
        by_port[reading.port] = (*by_port.get(reading.port, ()), reading)
    return by_port
