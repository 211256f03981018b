"""The documents are tested like code: what exists is documented, and what is documented exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from portulan.cli.verbs import HELP
from portulan.judge.rules import FINDINGS, NOTES, RULES
from tests.test_layers import MAY_IMPORT

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs" / "decisions"
RULE_PAGES = ROOT / "docs" / "rules"
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")})
FRAME = [
    ROOT / name
    for name in (
        *("Makefile", "constraints.txt", "pyproject.toml", "NOTICE", ".ci/run"),
        *("action.yml", ".pre-commit-hooks.yaml"),
    )
]

HEADINGS = ["What it finds", "Why it matters", "Example", "What to do", "References"]
HEADINGS_OF_NOTES = [*HEADINGS[:-1], "Known false alarms", HEADINGS[-1]]
EXIT_CODES = ["0", "1", "2", "3", "130"]


def text_of(paths: list[Path]) -> str:
    """Return the text of several files."""
    return "\n".join(path.read_text("utf-8") for path in paths)


def requirements() -> set[str]:
    """Return every dependency that pyproject.toml names: of the program, its extras, its build and its tools."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lists = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        *project["project"].get("optional-dependencies", {}).values(),
        *project["dependency-groups"].values(),
    ]
    return {re.split(r"[\s\[<>=!~;]", line, maxsplit=1)[0] for names in lists for line in names}


def pinned() -> dict[str, str]:
    """Return the names and versions of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("code", sorted({**RULES, **FINDINGS, **NOTES}))
def test_a_rule_has_its_page(code: str) -> None:
    """Each rule has a page in one anatomy: its code and name, what kind it is and says; of a note the false alarms."""
    page = (RULE_PAGES / f"{code}.md").read_text("utf-8")
    name = {**RULES, **FINDINGS, **NOTES}[code][0]
    assert page.startswith(f"# {code}: {name}\n")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    kind = page.splitlines()[2]
    if code in RULES:
        _, judgement, attention = RULES[code]
        assert kind == f"Judgement: `{judgement}`. Attention: `{attention}`."
        assert headings == HEADINGS
    elif code in FINDINGS:
        assert kind == f"A finding of `portulan check`. Attention: `{FINDINGS[code][2]}`."
        assert headings == HEADINGS
    else:
        assert kind.startswith("A note: it decides nothing")
        assert headings == HEADINGS_OF_NOTES


def test_every_code_in_the_judge_is_a_rule_with_a_page() -> None:
    """No code is written in the judge that the three tables do not have; each has a page, and a row of the index."""
    used = set(re.findall(r"\bPT\d{3}\b", text_of(sorted((ROOT / "src" / "portulan" / "judge").glob("*.py")))))
    pages = {path.stem for path in RULE_PAGES.glob("PT*.md")}
    assert used == pages == {**RULES, **FINDINGS, **NOTES}.keys()
    assert len(pages) == len(RULES) + len(FINDINGS) + len(NOTES)
    index = (RULE_PAGES / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| \[(PT\d{3})\]\(PT\d{3}\.md\) \| ([a-z0-9-]+) \|", index, re.MULTILINE))
    assert rows == {code: row[0] for code, row in {**RULES, **FINDINGS, **NOTES}.items()}
    assert len(set(rows.values())) == len(rows)


def test_every_verb_and_option_is_in_the_readme() -> None:
    """What `--help` shows, the README shows."""
    readme = (ROOT / "README.md").read_text("utf-8")
    verbs = set(re.findall(r"^ +portulan ([a-z]+(?: (?:info|update|diff|draft))?)", HELP, re.MULTILINE))
    assert len(verbs) > len(EXIT_CODES)
    assert {verb for verb in verbs if f"portulan {verb}" not in readme} == set()
    assert {option for option in re.findall(r"--[a-z-]+", HELP) if option not in readme} == set()


@pytest.mark.parametrize("code", EXIT_CODES)
def test_every_exit_code_is_in_the_readme(code: str) -> None:
    """The README has a row for each exit code."""
    assert re.search(rf"^\| {code} \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", sorted(requirements()))
def test_a_dependency_has_its_reason(name: str) -> None:
    """Each dependency has a row with a reason in the decisions, and an exact version where `make` installs it."""
    reasons = text_of(sorted(DECISIONS.glob("*.md")))
    assert re.search(rf"^\| {re.escape(name)} \| .{{20,}} \|$", reasons, re.MULTILINE)
    assert name in pinned()


def test_the_versions_are_pinned_and_nothing_else() -> None:
    """constraints.txt pins pip and the tools by name and version, without an address or a digest."""
    for name, version in pinned().items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        assert re.fullmatch(r"[0-9.]+", version)
    assert "pip" in pinned()


def test_the_architecture_shows_the_table_that_is_enforced() -> None:
    """ARCHITECTURE.md has a row for each room and module of the house that exists."""
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    exist = {path.stem for path in (ROOT / "src" / "portulan").iterdir() if path.stem in MAY_IMPORT}
    exist -= {"__main__"}
    assert {name for name in exist if not re.search(rf"^\| `{name}(?:/|\.py)` \|", page, re.MULTILINE)} == set()


@pytest.mark.parametrize("path", [*DOCUMENTS, *FRAME], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_of_this_machine_is_in_it(path: Path) -> None:
    """No document and no file of the frame names the checkout it lies in or the host of a package index."""
    text = path.read_text("utf-8")
    assert str(ROOT) not in text
    hosts = r"[\w.-]*\b(?:pypi|pythonhosted|npmjs)\.\w+|\b(?:deb|security|ftp)\.debian\.\w+"
    assert not re.findall(hosts, text)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(path: Path) -> None:
    """A relative link of a document names a file that exists."""
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8"))
    broken = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert not broken


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "atlas").glob("*.png")), ids=lambda path: path.name)
def test_a_picture_of_the_atlas_is_light_and_shown(path: Path) -> None:
    """Each picture that tests/atlas/screenshots.py takes has at most 250 kB, and the guide shows it or links it."""
    picture = path.read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) <= 250_000
    assert f"(atlas/{path.name})" in (ROOT / "docs" / "atlas.md").read_text("utf-8")


def test_the_example_of_the_api_runs() -> None:
    """The first Python example of the README runs as it stands, here and now."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", blocks[0]],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_worked_example_of_a_reader_is_the_reader() -> None:
    """The file that CONTRIBUTING shows whole is the file that is there."""
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    shown = re.findall(r"^```python\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    reader = ROOT / "src" / "portulan" / "observe" / "readers" / "sockstat.py"
    assert shown == [reader.read_text("utf-8")]
