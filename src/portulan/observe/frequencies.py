"""How often a number was found open, where somebody has nmap installed: its file is read, none of it is kept.

Format: nmap's reference guide, "Well Known Port List: nmap-services": name, number and transport, frequency.
"""

from __future__ import annotations

from pathlib import Path

PLACES = (
    "/usr/share/nmap/nmap-services",
    "/usr/local/share/nmap/nmap-services",
    "/opt/homebrew/share/nmap/nmap-services",
    r"C:\Program Files (x86)\Nmap\nmap-services",
)
_FIELDS = 3


def read_frequencies(places: tuple[str, ...] = PLACES) -> dict[tuple[str, int], float]:
    """Return the share of scanned addresses that had a number open, by (transport, port), but for those with none.

    Empty where nmap is not installed.
    """
    for place in places:
        try:
            text = Path(place).read_text("utf-8", errors="replace")
        except OSError:
            continue
        return parse_frequencies(text)
    return {}


def parse_frequencies(text: str) -> dict[tuple[str, int], float]:
    """Return what a file of that format says; a line that has another form says nothing."""
    found: dict[tuple[str, int], float] = {}
    for line in text.splitlines():
        fields = line.partition("#")[0].split("\t")
        if len(fields) < _FIELDS:
            continue
        number, _, transport = fields[1].partition("/")
        try:
            frequency = float(fields[2])
        except ValueError:
            continue
        if number.isdigit() and frequency > 0:
            found[transport.strip(), int(number)] = frequency
    return found
