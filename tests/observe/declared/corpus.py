"""The labelled corpus and its score: what readers find in it, against what somebody has labelled by hand.

`python -m tests.observe.declared.corpus [FORMAT]` prints the score, and all that is missing or false.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from portulan.model import Observation
from portulan.observe.declared import open_declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CORPUS = Path(__file__).parents[2] / "data" / "declared"


class Label(NamedTuple):
    """What stands on a line: a port, or a range as one. `why` says a person's reason, or a reader's format."""

    file: str
    line: int
    first: int
    last: int
    transport: str
    role: str
    why: str

    @property
    def ports(self) -> range:
        """The port, or all of the range."""
        return range(self.first, self.last + 1)

    def found_in(self, there: dict[tuple[str, int], set[int]]) -> bool:
        """Tell whether all ports are among those of the line."""
        return set(self.ports) <= there.get((self.file, self.line), set())


class Score(NamedTuple):
    """How many labels were found by file, line and port, how many finds are false, and what of both."""

    found: int
    missing: list[Label]
    false: list[Label]
    other_role: list[Label]

    @property
    def recall(self) -> float:
        """The part of the labels that was found."""
        return self.found / max(1, self.found + len(self.missing))

    @property
    def precision(self) -> float:
        """The part of the finds that are true."""
        return self.found / max(1, self.found + len(self.false))


def labels() -> list[Label]:
    """Return the labels of the corpus, their files by case and path."""
    with (CORPUS / "labels.csv").open(encoding="utf-8", newline="") as rows:
        return [
            Label(
                f"{row['case']}/{row['file']}",
                int(row["line"]),
                int(row["first"]),
                int(row["last"]),
                row["transport"],
                row["role"],
                row["why"],
            )
            for row in csv.DictReader(rows)
        ]


def finds() -> tuple[list[Label], dict[str, str]]:
    """Return what the readers find in all cases, ports in a row as one range, and the format of each file."""
    found: list[Label] = []
    formats: dict[str, str] = {}
    for case in sorted(path for path in CORPUS.iterdir() if path.is_dir()):
        for source, reader in open_declared(case):
            with source:
                file = str(Path(source.name).relative_to(CORPUS))
                formats[file] = reader.FORMAT
                found += _ranges(
                    file, reader.FORMAT, [one for one in reader.read(source) if isinstance(one, Observation)]
                )
    return found, formats


def _ranges(file: str, form: str, observations: Iterable[Observation]) -> Iterator[Label]:
    ports: dict[tuple[int, str, str], set[int]] = defaultdict(set)
    for one in observations:
        assert one.declaration is not None
        port = one.peer.port if one.peer is not None else one.local.port
        ports[one.declaration.line, one.transport, one.declaration.role].add(port)
    for (line, transport, role), numbers in ports.items():
        for first in sorted(numbers):
            if first - 1 not in numbers:
                last = first
                while last + 1 in numbers:
                    last += 1
                yield Label(file, line, first, last, transport, role, form)


def score(wanted: Iterable[Label], found: Iterable[Label]) -> Score:
    """Compare by file, line and port; where these agree, see whether role and transport do too.

    A label is found if all its ports are. Ports that no label of the line has are false, those in a row as one.
    """
    found = list(found)
    there: dict[tuple[str, int], set[int]] = defaultdict(set)
    roles: dict[tuple[str, int, str, str], set[int]] = defaultdict(set)
    for one in found:
        there[one.file, one.line].update(one.ports)
        roles[one.file, one.line, one.transport, one.role].update(one.ports)
    labelled: dict[tuple[str, int], set[int]] = defaultdict(set)
    marks: dict[tuple[str, int, int, int], Label] = {}
    other_role: list[Label] = []
    for label in wanted:
        labelled[label.file, label.line].update(label.ports)
        marks[label[:4]] = label
        if label.found_in(there) and not set(label.ports) <= roles[label.file, label.line, label.transport, label.role]:
            other_role.append(label)
    missing = [label for label in marks.values() if not label.found_in(there)]
    false = [one for one in found if set(one.ports) - labelled[one.file, one.line]]
    return Score(len(marks) - len(missing), missing, false, other_role)


def by_format() -> dict[str, Score]:
    """Return the score of each format, of files that no reader knows as `nobody's`, and of `all`."""
    wanted, (found, formats) = labels(), finds()
    scores = {"all": score(wanted, found)}
    for form in sorted({*formats.values(), *("nobody's" for one in wanted if one.file not in formats)}):
        scores[form] = score(
            [one for one in wanted if formats.get(one.file, "nobody's") == form],
            [one for one in found if one.why == form],
        )
    return scores


if __name__ == "__main__":
    for name, result in by_format().items():
        counts = f"{result.found:4} found {len(result.missing):4} missing {len(result.false):4} false"
        print(f"{name:16} {counts} {len(result.other_role):4} roles  {result.precision:.3f} {result.recall:.3f}")  # noqa: T201
        if name in sys.argv[1:]:
            for title, rows in (("-", result.missing), ("+", result.false), ("~", result.other_role)):
                for row in rows:
                    print("   ", title, row)  # noqa: T201
