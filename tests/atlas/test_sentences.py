"""Every sentence of a page, read as a reader has it: what is printed is linked, and the table of IANA says the same.

Nothing of the atlas is asked but the page itself: the page is read by the standard library's parser, the registry and
the known uses from their files. So what a page says of a number cannot be proved by the code that says it.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from html.parser import HTMLParser
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import pytest

from portulan.model import PORTS
from tests.atlas.test_every_page import CHUNK, answer_of, some_ports
from tests.test_every_port import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from portulan.atlas.catalogue import Catalogue
    from portulan.atlas.render import Renderer

WHERE = r"(?P<where>{L}) (?:is|are)"
POOL = (
    r"(?:Only a wide range that has it is cited\. |"
    r"Only wide ranges that have it are cited, for (?P<count>{1}) products\. )?"
)
PURPOSE = r"(?: for (?P<purpose>{1}))?\."
SAID = [
    *(WHERE + rest for rest in (
        r" registered as (?P<names>{L})(?: by (?P<assignees>{L}))?, citing (?P<reference>{1})\.",
        r" registered as (?P<names>{L})(?: by (?P<assignees>{L}))?, dated (?P<date>{1}), with (?P<undocumented>{1})\.",
        r" registered as (?P<names>{L})(?: by (?P<assignees>{L}))?, with (?P<undated>{1}) (?P<undocumented>{1})\.",
        r" registered as (?P<names>{L}), and none of the rows cites (?P<undocumented>{1})\.",
        r" registered as (?P<names>{L}); the row of (?P<named>{1}) cites (?P<reference>{1})\.",
        r" assigned without a service name: (?P<described>{1})\.",
        r" (?P<state>reserved|not assigned): IANA's row says (?P<row>{1})\.",
        r" not assigned: IANA has (?P<absent>{1}) of (?:it|them)\.",
    )),
    r"It is one of the dynamic ports, (?P<tier>{1}), which IANA does not assign\.",
    r"(?P<none>{1})",
    POOL + r"(?P<product>{1}) is (?P<attestation>documented|reported) to (?P<verb>hold|dial) (?P<at>{1})" + PURPOSE,
    r"(?P<count>{1}) products are cited for it\.",
    r"The nearest assigned numbers are (?P<before>{1}) and (?P<after>{1})\.",
    r"The last assigned number before it is (?P<before>{1}); none comes after it\.",
    r"The first assigned number after it is (?P<after>{1}); none comes before it\.",
    r"The row of (?P<named>{1}) cites (?P<rfcs>{L})\.",
    r"The row of (?P<named>{1}) is dated (?P<date>{1}) and cites (?P<undocumented>{1})\.",
    r"The row of (?P<named>{1}) has (?P<undated>{1}) (?P<undocumented>{1})\.",
    r"IANA's rows are the same in the snapshots of (?P<snapshots>{L})\.",
    r"The registry has it as (?P<named>{1})\.",
]  # fmt: skip
"""All that a page says, each value between the marks of its link; `{L}` is a list of them."""

ONE = "\x02[^\x02\x03]*\x03"
SENTENCES = [re.compile(form.replace("{L}", f"{ONE}(?:, {ONE})*(?: and {ONE})?").replace("{1}", ONE)) for form in SAID]

EMPTY = {
    "neither a registration date": "Registration Date",
    "nor a document": "Reference",
    "no document": "Reference",
    "a document": "Reference",
}
"""What is said of a column that is empty."""

Row = dict[str, str]


class Sentence(NamedTuple):
    """A sentence: its text with each link between marks, and the links."""

    marked: str
    links: tuple[tuple[str, str], ...]


class Page(HTMLParser):
    """A page: the text of each element with an id, and its sentences (`<p class="s">`)."""

    VOID = frozenset({"meta", "link", "input", "br", "path", "use", "circle", "rect", "line"})

    def __init__(self, markup: str) -> None:
        """Read it."""
        super().__init__()
        self._open: list[str | None] = []
        self._texts: dict[str, list[str]] = defaultdict(list)
        self._sentence: list[str] | None = None
        self._links: list[tuple[str, str]] = []
        self._link = ""
        self.sentences: list[Sentence] = []
        self.feed(markup)
        self.texts = {identity: one_line("".join(texts)) for identity, texts in self._texts.items()}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        named = dict(attrs)
        if tag not in self.VOID:
            self._open.append(named.get("id"))
        if tag == "p" and named.get("class") == "s":
            self._sentence, self._links = [], []
        if tag == "a" and self._sentence is not None:
            self._sentence.append("\x02")
            self._link = named.get("href") or ""
        for identity in filter(None, self._open):  # text of two elements is not one word
            self._texts[identity].append(" " if tag in {"td", "th", "dd", "dt", "tr", "p", "li", "caption"} else "")

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if tag not in self.VOID:
            self._open.pop()
        if tag == "a" and self._sentence is not None:
            self._sentence.append("\x03")
            self._links.append((self._link, "".join(self._sentence).rpartition("\x02")[2].rstrip("\x03")))
        if tag == "p" and self._sentence is not None:
            self.sentences.append(Sentence("".join(self._sentence), tuple(self._links)))
            self._sentence = None

    def handle_data(self, data: str) -> None:
        """Take text."""
        if self._sentence is not None:
            self._sentence.append(data)
        for identity in filter(None, self._open):
            self._texts[identity].append(data)


def one_line(text: str) -> str:
    """Return a text with single spaces."""
    return " ".join(text.split())


def listed(marked: str | None) -> list[str]:
    """Return the values of a list of links."""
    return re.findall("\x02([^\x02\x03]*)\x03", marked or "")


def bare(field: str) -> list[str]:
    """Return what stands in the brackets of a field."""
    return [one_line(tag) for tag in re.findall(r"\[([^\[\]]+)\]", field)]


class Records:
    """What is on record, read from the files: IANA's rows of each pair, the known uses of each number."""

    def __init__(self, snapshot: str) -> None:
        """Read them."""
        data = files("portulan") / "registry" / "data"
        self.rows: dict[tuple[int, str], list[Row]] = defaultdict(list)
        for row in csv.DictReader((data / "iana" / f"{snapshot}.csv").read_text("utf-8").splitlines(keepends=True)):
            if "This entry is an alias to" not in row["Assignment Notes"] and row["Port Number"]:
                for port in span(row["Port Number"]):
                    for transport in [row["Transport Protocol"]] if row["Transport Protocol"] else ["tcp", "udp"]:
                        self.rows[port, transport].append(row)
        self.assigned = sorted({port for (port, _), rows in self.rows.items() if any(map(is_assigned, rows))})
        self.uses: dict[int, list[Row]] = defaultdict(list)
        for row in csv.DictReader((data / "known-uses.csv").read_text("utf-8").splitlines(keepends=True)):
            for port in span(row["port"]):
                self.uses[port].append(row)


def span(ports: str) -> range:
    """Read `6000` and `6000-6063`."""
    first, _, last = ports.partition("-")
    return range(int(first), int(last or first) + 1)


def is_assigned(row: Row) -> bool:
    """Tell whether a row assigns its pairs."""
    return state_of(row["Service Name"], row["Description"]) == "assigned"


def check(port: int, page: Page, records: Records) -> None:
    """Assert that each sentence is one that is known here, links what it prints, and agrees with the files."""
    spoken = set()
    for sentence in page.sentences:
        found = [form for each in SENTENCES if (form := each.fullmatch(one_line(sentence.marked)))]
        assert len(found) == 1, (port, sentence)
        said = {name: listed(value) or [value] for name, value in found[0].groupdict().items() if value is not None}
        for href, shown in sentence.links:
            check_link(port, page, href, shown)
        spoken |= check_map(port, said, records)
        check_rest(port, said, records)
    told = {on for on in ("tcp", "udp", "sctp", "dccp") if (port, on) in records.rows} | {"tcp", "udp"}
    assert {on for on in told if on in {"tcp", "udp"} or state(records.rows[port, on]) != "unassigned"} == spoken, port


def check_link(port: int, page: Page, href: str, shown: str) -> None:
    """Assert that what a link leads to contains what it prints."""
    if not href.startswith("#"):
        assert href == f"/{shown}", (port, href)
        return
    there = page.texts[href[1:]]
    if shown in EMPTY:
        assert EMPTY[shown] in there.rpartition("Empty")[2] or "Reference [n/a]" in there, (port, shown)
    elif href == "#uses":
        assert (f"{shown} product" if shown[0].isdecimal() else "none: the catalogue cites no product") in there, port
    else:
        # A sentence writes RFC 9110 where the column has [RFC9110].
        row = re.fullmatch(r"([0-9-]+) (.*)", shown)
        values = [shown, shown.replace("RFC ", "RFC")] if row is None else [row[1], row[2]]
        fits = any if row is None else all
        assert fits(value in there for value in values), (port, shown, there)


def state(rows: Iterable[Row]) -> str:
    """Return the state that rows give to their pair."""
    states = {state_of(row["Service Name"], row["Description"]) for row in rows}
    return next((each for each in ("assigned", "reserved") if each in states), "unassigned")


def check_map(port: int, said: dict[str, list[str]], records: Records) -> set[str]:
    """Assert what is said of transports, and return which these are."""
    spoken = set()
    for where in said.get("where", []):
        number, _, transport = where.partition("/")
        assert number == str(port), (port, where)
        assert transport not in spoken
        spoken.add(transport)
        rows = records.rows[port, transport]
        assigning = [row for row in rows if is_assigned(row)]
        if "names" in said:
            assert set(said["names"]) == {row["Service Name"] for row in assigning if row["Service Name"]}, port
            check_columns(port, said, assigning)
        elif "described" in said:
            assert not any(row["Service Name"] for row in assigning), port
            assert said["described"][0] in {one_line(row["Description"]) for row in assigning}, port
        else:
            assert not assigning, port
            wanted = "reserved" if said.get("state") == ["reserved"] else "unassigned"
            assert state(rows) == wanted, port
            shown = {f"{ports(row)} {one_line(row['Description'])}" for row in rows}
            assert (said["row"][0] in shown) if "row" in said else not rows, port
    return spoken


def ports(row: Row) -> str:
    """Write the numbers of a row; a few are ranges of one number: 4748-4748."""
    return re.sub(r"^([0-9]+)-\1$", r"\1", row["Port Number"])


def check_columns(port: int, said: dict[str, list[str]], rows: list[Row]) -> None:
    """Assert what is said of the columns: with one name of its row, with several that no row has more."""
    one = [row for row in rows if row["Service Name"] in said.get("named", said["names"])]
    cited = [row for row in one if "reference" in said and said["reference"][0] in bare(row["Reference"])]
    assert bool(cited) == ("reference" in said), port
    if len(said["names"]) == 1:
        assert any(said.get("assignees", []) == bare(row["Assignee"]) for row in one), port
    if "date" in said:
        assert any(row["Registration Date"] == said["date"][0] for row in one), port
    if "undated" in said:
        assert not any(row["Registration Date"] for row in rows), port
    if "undocumented" in said:
        assert not any(set(bare(row["Reference"])) - {"n/a"} for row in rows), port


def check_rest(port: int, said: dict[str, list[str]], records: Records) -> None:
    """Assert what is said of single rows, of known uses and of neighbours."""
    if "named" in said and "names" not in said:
        named = [
            row
            for on in ("tcp", "udp", "sctp", "dccp")
            for row in records.rows[port, on]
            if is_assigned(row) and (row["Service Name"] or one_line(row["Description"])) == said["named"][0]
        ]
        assert any(fits_row(row, said) for row in named), port
        assert named, port
    harmless = [use for use in records.uses[port] if use["malicious"] != "yes"]
    if "none" in said:
        assert said["none"] == ["No use of it is known."]
        assert not harmless, port
    if "product" in said:
        fitting = [
            use
            for use in records.uses[port]
            if use["product"] == said["product"][0]
            and use["attestation"] in said["attestation"]
            and use["direction"] == {"hold": "listen", "dial": "connect"}[said["verb"][0]]
            and f"{use['port']}/{use['transport']}" == said["at"][0]
        ]
        purposes = {use["protocol"].lower() or use["role"] for use in fitting}
        assert fitting, (port, said)
        assert {purpose.lower() for purpose in said.get("purpose", [""])} <= {each.lower() for each in purposes}, port
    if "count" in said:
        narrow = {use["product"] for use in harmless if len(span(use["port"])) < 16}
        wide = {use["product"] for use in harmless if len(span(use["port"])) >= 16}
        assert said["count"] == [str(len(wide if "product" in said else narrow))], port
    for side, near in (("before", max), ("after", min)):
        if side in said:
            others = [each for each in records.assigned if (each < port if side == "before" else each > port)]
            assert said[side] == [str(near(others))], port


def fits_row(row: Row, said: dict[str, list[str]]) -> bool:
    """Tell whether a row says what a reason for a grade says of it."""
    cited = [tag.replace("RFC", "RFC ") if re.fullmatch(r"RFC[0-9]+", tag) else tag for tag in bare(row["Reference"])]
    if "rfcs" in said:
        numbers = [tag for tag in said["rfcs"] if tag.startswith("RFC ")]
        return (
            all(tag in row["Reference"].replace("RFC", "RFC ") for tag in numbers)
            if numbers
            else (said["rfcs"][0] in cited)
        )
    if not {"date", "undated"} & said.keys():
        return True
    dated = row["Registration Date"] == said["date"][0] if "date" in said else not row["Registration Date"]
    return dated and row["Reference"] in {"", "[n/a]"}


@pytest.fixture(scope="module")
def records(catalogue: Catalogue) -> Records:
    """Return what is on record."""
    return Records(catalogue.index.snapshot)


@pytest.fixture(scope="module")
def page(renderer: Renderer) -> Callable[[int], Page]:
    """Return what makes and reads the page of a port."""
    return lambda port: Page(renderer.port(answer_of(port)))


def test_some_sentences(page: Callable[[int], Page], records: Records) -> None:
    """On 3,000 pages each sentence is one of those that are known here, and the files say the same."""
    for port in some_ports():
        check(port, page(port), records)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, PORTS, CHUNK))
def test_every_sentence(page: Callable[[int], Page], records: Records, start: int) -> None:
    """On all 65,536 pages each sentence is one of those that are known here, and the files say the same."""
    for port in range(start, start + CHUNK):
        check(port, page(port), records)
