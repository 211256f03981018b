"""The pages of the rules: every code has one that is read whole, from the repository and from an installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from portulan.errors import NotFound, PortulanError
from portulan.judge.rules import FINDINGS, NOTES, RULES
from portulan.rulebook import first_sentence, folder, headings, page, parse_page, without_links

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "rules"
CODES = sorted({**RULES, **NOTES, **FINDINGS})
READ_ALL = """
import json, sys
from portulan.rulebook import folder, page
print(json.dumps([str(folder()), [page(code).name for code in sys.argv[1:]]]))
"""

WHOLE = (PAGES / "PT104.md").read_text("utf-8")


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_page_that_is_read_whole(code: str) -> None:
    """Each section of the anatomy has a text, each line of the references a link, and the name is the table's."""
    found = page(code)
    (told,) = [told for told in headings() if told.code == code]
    assert (found.code, found.name) == (code, told.name)
    assert all([found.says, found.finds, found.matters, found.example, found.what_to_do, found.references])
    assert found.false_alarms is None or found.false_alarms
    if told.attention is not None:
        assert f"`{told.attention}`" in found.says
    if told.judgement is not None:
        assert f"`{told.judgement}`" in found.says
    text = (PAGES / f"{code}.md").read_text("utf-8")
    told_lines = [line for line in text.splitlines() if line and not line.startswith(("#", "- ["))]
    told_texts = "\n".join(map(str, found)).splitlines()
    assert [line for line in told_lines if line not in told_texts] == []


@pytest.mark.parametrize("code", CODES)
def test_the_first_sentence_of_a_page_is_one(code: str) -> None:
    """What a page finds begins with a sentence that can stand alone: one line, no link, a full stop."""
    said = first_sentence(page(code).finds)
    assert said.endswith((".", "`."))
    assert "\n" not in said
    assert "](" not in said


def test_the_pages_are_read_from_the_source_tree() -> None:
    """Where Portulan is run from its repository, the pages are those of docs/rules."""
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, *sorted(path.stem for path in PAGES.glob("PT*.md"))],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=60,
    )
    where, names = json.loads(done.stdout)
    assert Path(where) == PAGES
    assert set(names) <= {told.name for told in headings()}


def test_an_installation_has_the_pages_as_they_are() -> None:
    """The wheel has each page beside the code, byte for byte."""
    if folder() == PAGES:
        pytest.skip("Portulan is run from its source tree here, not installed")
    assert {path.name: path.read_bytes() for path in folder().glob("PT*.md")} == {
        path.name: path.read_bytes() for path in PAGES.glob("PT*.md")
    }


def test_the_table_tells_every_code_once() -> None:
    """The list has each rule, finding and note, in the order of the codes; notes have no attention."""
    told = headings()
    assert [one.code for one in told] == CODES
    assert {one.code for one in told if one.attention is None} == set(NOTES)
    assert {one.code for one in told if one.title is not None} == set(FINDINGS)


@pytest.mark.parametrize("code", ["PT999", "PT1", "", "../PT104", "x" * 100])
def test_a_code_that_is_none_is_not_found(code: str) -> None:
    """A code that the table does not have has no page, whatever files there are."""
    with pytest.raises(NotFound, match="no rule has the code"):
        page(code)


def test_a_code_may_be_written_in_lower_case() -> None:
    """People write codes as they like."""
    assert page("pt104") == page("PT104")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not begin with '# PT104: '"),
        (WHOLE.replace("# PT104", "# PT105", 1), "does not begin with '# PT104: '"),
        (WHOLE.replace("## Example\n", ""), "no section 'Example'"),
        (WHOLE.partition("## References")[0], "no section 'References'"),
        (WHOLE.partition("## References")[0] + "## References\n\n", "no section 'References'"),
        (WHOLE + "- somewhere\n", "not a link a line"),
    ],
)
def test_an_incomplete_page_says_what_is_missing(text: str, why: str) -> None:
    """A page that cannot be used is an error that names its code and what is wrong with it."""
    with pytest.raises(PortulanError, match="the page of PT104 cannot be used: ") as caught:
        parse_page("PT104", text)
    assert why in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("words", ["False alarms", "Known false alarms"])
def test_a_page_may_tell_of_false_alarms(words: str) -> None:
    """Known false alarms are a section that a page may have."""
    assert parse_page("PT104", WHOLE).false_alarms is None
    text = WHOLE.replace("## References", f"## {words}\n\nA debugger.\n\n## References")
    assert parse_page("PT104", text).false_alarms == "A debugger."


def test_links_become_words() -> None:
    """A link to another page is its code; one that leads away keeps its address."""
    assert without_links("see [PT105](PT105.md), `[x]`") == "see PT105, `[x]`"
    assert without_links("[ssh(1)](https://man.openbsd.org/ssh)") == "ssh(1) (https://man.openbsd.org/ssh)"


def test_a_sentence_ends_where_a_text_has_no_full_stop() -> None:
    """A paragraph without a full stop is one sentence; a second paragraph never belongs to it."""
    assert first_sentence("One\nline\n\nAnother. Third.") == "One line"
    assert first_sentence("One. Two.") == "One."
