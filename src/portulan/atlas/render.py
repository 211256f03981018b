"""The pages as HTML, in one language: each call takes data and returns a whole document."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from babel import Locale
from markupsafe import Markup, escape

from portulan.atlas.addresses import SQUARES, chart_path
from portulan.atlas.assets import read_assets
from portulan.atlas.catalogue import Catalogue, part
from portulan.atlas.judged import rules_in, say_here
from portulan.atlas.layers import layers_of, unofficial
from portulan.atlas.organisations import organisation_of
from portulan.atlas.page import page_of, row_of, sameness
from portulan.atlas.plain import plain
from portulan.atlas.statements import IANA, called, one_line, span
from portulan.atlas.templating import environment
from portulan.atlas.terms import terms_in
from portulan.atlas.words import ENGLISH, Words, languages
from portulan.byhand import COMMANDS
from portulan.errors import NotFound
from portulan.judge.rules import SEVERITY
from portulan.judge.weigh import decisive
from portulan.model import PORTS
from portulan.registry.search import search

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from portulan.answer import Answer
    from portulan.atlas.assets import Asset
    from portulan.atlas.layers import Here, Layer
    from portulan.atlas.statements import Statement
    from portulan.model import Assignment, Claim, Incomplete, Value, Verdict

CAVEAT: Final = (
    "ASSIGNMENT OF A PORT NUMBER DOES NOT IN ANY WAY IMPLY AN ENDORSEMENT OF AN APPLICATION OR PRODUCT, AND THE FACT "
    'THAT NETWORK TRAFFIC IS FLOWING TO OR FROM A REGISTERED PORT DOES NOT MEAN THAT IT IS "GOOD" TRAFFIC, NOR THAT IT '
    "NECESSARILY CORRESPONDS TO THE ASSIGNED SERVICE. FIREWALL AND SYSTEM ADMINISTRATORS SHOULD CHOOSE HOW TO "
    "CONFIGURE THEIR SYSTEMS BASED ON THEIR KNOWLEDGE OF THE TRAFFIC IN QUESTION, NOT WHETHER THERE IS A PORT NUMBER "
    "REGISTERED OR NOT."
)
"""The note at the head of IANA's registry."""


QUOTED: Final = frozenset({"row", "use"})
"""What is on record in English, whatever the language of the page."""


class Drawings(Protocol):
    """What is drawn for the pages, as SVG that can stand in HTML."""

    def world(self, layers: Sequence[Layer] = (), layer: str = "") -> str:
        """Draw all ports, and layers upon them; the links keep the layer of that name."""

    def square(self, first: int, size: int, layers: Sequence[Layer] = (), layer: str = "") -> str:
        """Draw one square of the chart."""

    def cutout(self, port: int) -> str:
        """Draw the neighbourhood of a port."""

    def strip(self, port: int) -> str:
        """Draw where a port lies among all."""

    def blocks(self) -> Iterable[Value]:
        """Return the chart in figures, for who does not see it: what `chart.html` tells of each block."""


SYSTEMS: Final = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}
"""What systems are called, in every language."""

HITS: Final = 40
"""How many results a search shows."""


class Renderer:
    """Renders pages in one language; each call returns a whole document.

    `drawings` are put into the pages, which without them have none. `site` is the address of a public atlas, for links
    that must have one.
    """

    def __init__(
        self,
        language: str = ENGLISH,
        *,
        catalogue: Catalogue | None = None,
        drawings: Drawings | None = None,
        site: str | None = None,
    ) -> None:
        """Read the catalogue of the language; the templates are compiled as they are first used."""
        self._drawings = drawings
        self._commands: dict[tuple[str, ...], str] = {}
        self.words = Words(language)
        self.catalogue = catalogue or Catalogue()
        self._templates = environment(self.words)
        self._templates.filters.update(
            say=self._say, part=part, plain=plain, span=span, called=called, one_line=one_line, number=self.words.number
        )
        self._templates.globals.update(
            prefix=self.words.prefix,
            language=language,
            # What is in English by nature is marked where the page is not; there what is ours within it is marked back.
            english=Markup(' lang="en"') if language != ENGLISH else "",
            own=Markup(' lang="{}"').format(language) if language != ENGLISH else "",
            languages=languages(),
            tongues={each: Locale.parse(each, sep="-").get_display_name() for each in languages()},
            link=self._link,
            site=site,
            asset=self._address,
            terms=terms_in(self.words),
            rules=rules_in(self.words),
            caveat=CAVEAT,
            systems=SYSTEMS,
            iana=IANA,
            snapshot=self.catalogue.index.snapshot,
            edition=self.catalogue.edition,
            organisation_of=organisation_of,
            chart_path=chart_path,
        )

    @cached_property
    def assets(self) -> dict[str, Asset]:
        """The files that pages load."""
        return read_assets(self.catalogue)

    def port(self, answer: Answer, *, local: bool = False, claims: Sequence[Claim] = ()) -> str:
        """Return the page of a port; `local` adds what the answer has of this machine."""
        page = page_of(answer, self.catalogue, self.words)
        return self._render(
            "port.html",
            page=page,
            cutout=_svg(self._drawings.cutout(answer.port)) if self._drawings else "",
            strip=_svg(self._drawings.strip(answer.port)) if self._drawings else "",
            by_hand=self._by_hand(page.port, page.transports),
            answer=answer if local else None,
            here=say_here(answer.verdicts or (), self.words) if local else None,
            claims=claims,
        )

    def service(self, name: str) -> str:
        """Return the page of a service. Raises NotFound for a name that nobody registered."""
        found = self.catalogue.index.services(name)
        if not found:
            message = f"no service is called {plain(name)}"
            raise NotFound(message)
        products = dict.fromkeys(
            [
                product
                for row in found
                if row.ports and row.ports.last - row.ports.first < HITS
                for port in range(row.ports.first, row.ports.last + 1)
                for on in self.catalogue.index.entry(port).transports
                if on.grade is not None and row.transport in {None, on.transport}
                for product in on.grade.implemented_by
            ]
        )
        called_so = found[0].service_name or name
        return self._render("service.html", name=called_so, rows=_rows(found), services=found, products=tuple(products))

    def product(self, name: str) -> str:
        """Return the page of a product. Raises NotFound for one of which nothing is known."""
        uses = self.catalogue.products.get(name, ())
        programs = self.catalogue.programs.get(name, ())
        if not uses and not programs:
            message = f"no product is called {plain(name)}"
            raise NotFound(message)
        days = {use.citation.url: self.catalogue.read_by(use.citation.url) for use in uses}
        return self._render("product.html", name=name, uses=uses, programs=programs, days=days)

    def organisation(self, name: str) -> str:
        """Return the page of an organisation. Raises NotFound for what is none, or may be a person."""
        rows = self.catalogue.organisations.get(name)
        if rows is None:
            message = f"no organisation is called {plain(name)}"
            raise NotFound(message)
        return self._render("organisation.html", name=name, rows=rows)

    def search(self, query: str) -> str:
        """Return what the words find. Raises RegistryError where the search file cannot be used."""
        query = query[: 4 * HITS]
        port = int(query) if query.isascii() and query.isdecimal() and len(query) <= len(str(PORTS)) else None
        return self._render(
            "search.html",
            query=plain(query),
            port=port if port is not None and port < PORTS else None,
            hits=search(query, HITS) if query.strip() else (),
        )

    def about(self) -> str:
        """Return the page on how all this is known."""
        return self._render(
            "about.html", snapshots=self.catalogue.history.snapshots, organisations=self.catalogue.organisations
        )

    def front(self) -> str:
        """Return the first page."""
        return self._render("front.html", world=_svg(self._drawings.world()) if self._drawings else "")

    def machine(self, verdicts: Sequence[Verdict], incomplete: Sequence[Incomplete]) -> str:
        """Return the first page of the local atlas: what holds ports on this machine, what is to be looked at first."""
        ordered = sorted(verdicts, key=lambda verdict: -SEVERITY[verdict.attention])
        return self._render(
            "machine.html",
            verdicts=[(one, [*one.because, *decisive(one.because)][-1].statement) for one in ordered],
            worst=sum(verdict.attention == "investigate" for verdict in verdicts),
            incomplete=incomplete,
        )

    def chart(self, first: int = 0, size: int = PORTS, layer: str = "", *, here: Here | None = None) -> str:
        """Return the page of the chart, or of a square of it: with a layer, or with what is on this machine."""
        layers = self._unofficial if layer else layers_of(here, self.words) if here else ()
        whole = size == PORTS
        drawing = ""
        if self._drawings:
            drawn = self._drawings
            drawing = _svg(drawn.world(layers, layer) if whole else drawn.square(first, size, layers, layer))
        last = first + size - 1
        return self._render(
            "chart.html",
            drawing=drawing,
            blocks=(tuple(self._drawings.blocks()) if self._drawings else ()) if whole else None,
            first=first,
            size=size,
            last=last,
            wider=[(first - first % wide, wide) for wide in SQUARES if wide > size],
            narrower=range(first, last, size // 4) if size // 4 in SQUARES else (),
            before=first - size if first else None,
            after=last + 1 if last + 1 < PORTS else None,
            layer=layer,
            layers=layers,
            incomplete=here.incomplete if here else (),
        )

    @cached_property
    def _unofficial(self) -> tuple[Layer, ...]:
        return unofficial(self.catalogue.index, self.words)

    def not_found(self, what: str) -> str:
        """Return the page that says that there is none, and what to do."""
        return self._render("missing.html", what=plain(what))

    def _render(self, template: str, **values: object) -> str:
        return self._templates.get_template(template).render(values)

    def _by_hand(self, port: int, transports: tuple[str, ...]) -> Markup:
        """Return the commands for a port. They differ in the number only, so they are rendered once."""
        rendered = self._commands.get(transports)
        if rendered is None:
            systems: dict[str, list[tuple[str, str, str]]] = {}
            for system, transport, shows, command in COMMANDS:
                if transport in transports:
                    systems.setdefault(system, []).append((transport, shows, command))
            rendered = self._commands[transports] = self._render("byhand.html", systems=systems.items())
        return Markup(rendered.replace("{port}", str(port)))  # noqa: S704  # a template's, with a number in it

    def _link(self, path: str, text: str) -> Markup:
        """Return a link to a page of this atlas, or to an address elsewhere."""
        return Markup('<a href="{}">{}</a>').format(path if "://" in path else self.words.prefix + path, text)

    def _address(self, name: str) -> str:
        """Return the address of a file; the empty text where there is none of that name."""
        return self.assets[name].address if name in self.assets else ""

    def _say(self, statement: Statement) -> Markup:
        """Return a sentence with a link to each record."""
        english = ' lang="en"' if self.words.language != ENGLISH else ""
        said = [
            str(escape(piece))
            if isinstance(piece, str)
            else f'<a href="{escape(piece.href)}"{english if piece.what in QUOTED else ""}>{escape(piece.shown)}</a>'
            for piece in statement.pieces
        ]
        return Markup("".join(said))  # noqa: S704  # escaped piece by piece


def _svg(drawing: str) -> Markup:
    return Markup(drawing)  # noqa: S704  # drawn by us, of numbers and IANA's names, which it escapes


def _rows(found: Sequence[Assignment]) -> tuple[object, ...]:
    """Put rows together that differ only in the transport."""
    same: dict[object, list[Assignment]] = {}
    for row in found:
        same.setdefault(sameness(row), []).append(row)
    return tuple([row_of(f"row-{number}", alike) for number, alike in enumerate(same.values(), 1)])
