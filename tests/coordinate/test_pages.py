"""The pages of the hazards: each code has one, in one anatomy, and a row of the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portulan.coordinate.hazards import NAMES, SEVERITIES

PAGES = Path(__file__).parents[2] / "docs" / "hazards"
ANATOMY = ["What it is", "Why it matters", "How it is found", "What to do", "References"]


@pytest.mark.parametrize("code", NAMES)
def test_a_hazard_has_its_page(code: str) -> None:
    """A page begins with code, name and severity, has each section with a text, and a link a line for references."""
    page = (PAGES / f"{code}.md").read_text("utf-8")
    before, *parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    assert before.startswith(f"# {code}: {NAMES[code]}\n\nSeverity: ")
    assert set(re.findall(r"`(\w+)`", before)) <= set(SEVERITIES)
    assert parts[::2] == ANATOMY
    assert all(text.strip() for text in parts[1::2])
    references = parts[-1].strip().splitlines()
    assert all(re.fullmatch(r"- \[.+\]\(https://\S+\)", line) for line in references)


def test_every_page_is_of_a_hazard_and_in_the_index() -> None:
    """No page is of a code that there is not, and the index has each code with its name, in their order."""
    assert {path.stem for path in PAGES.glob("H*.md")} == set(NAMES)
    index = (PAGES / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[(H\d+)\]\(H\d+\.md\) \| ([a-z0-9-]+) \|", index, re.MULTILINE)
    assert rows == list(NAMES.items())
    assert len(set(NAMES.values())) == len(NAMES)


def test_the_severities_of_a_page_are_those_of_the_code() -> None:
    """What a hazard can be found with stands on its page, in each case that the code knows."""
    source = "\n".join(
        path.read_text("utf-8") for path in (PAGES.parents[1] / "src/portulan/coordinate/hazards").glob("*.py")
    )
    for code, severity in re.findall(r'Hazard\("(H\d+)", \w+, "(\w+)"', source):
        page = (PAGES / f"{code}.md").read_text("utf-8")
        assert f"`{severity}`" in page.partition("## ")[0] or code == "H22", (code, severity)
