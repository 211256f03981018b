"""A stand-in for the renderer: the servers are tested for who may ask and what is sent, not for what the pages say."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from portulan.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portulan.answer import Answer
    from portulan.atlas.layers import Here
    from portulan.model import Claim, Incomplete, Verdict


class Plainly:
    """Renders in one line, and counts how often it was asked."""

    def __init__(self, language: str = "en") -> None:
        """Take the language."""
        self.language = language
        self.made = 0

    def _page(self, title: str, text: str = "") -> str:
        self.made += 1
        head = f'<!doctype html><html lang="{self.language}"><title>{escape(title)}</title>'
        return f"{head}<h1>{escape(title)}</h1><p id='text'>{escape(text)}</p>{'<p>ports</p>' * 100}"

    def port(self, answer: Answer, *, local: bool = False, claims: Sequence[Claim] = ()) -> str:
        """Say the number, and who holds it."""
        if answer.port == 13:
            message = "the inside of the program"
            raise ValueError(message)
        names = [process.name or "" for seen in answer.observations or () for process in seen.processes]
        return self._page(
            f"port {answer.port}", " ".join([*names, *[claim.owner for claim in claims]]) if local else ""
        )

    def service(self, name: str) -> str:
        """Say the name."""
        return self._page(f"service {name}")

    def product(self, name: str) -> str:
        """Say the name; one is unknown."""
        if name == "nothing":
            message = "no such product"
            raise NotFound(message)
        return self._page(f"product {name}")

    def organisation(self, name: str) -> str:
        """Say the name."""
        return self._page(f"organisation {name}")

    def search(self, query: str) -> str:
        """Say the words."""
        return self._page(f"search {query}")

    def about(self) -> str:
        """Say so."""
        return self._page("about")

    def chart(self, first: int, size: int, layer: str = "", *, here: Here | None = None) -> str:
        """Say the square, and what is here."""
        said = "" if here is None else f"{len(here.verdicts)} held, claims: {[claim.port for claim in here.claims]}"
        return self._page(f"chart {first} {size} {layer}".strip(), said)

    def machine(self, verdicts: Sequence[Verdict], incomplete: Sequence[Incomplete]) -> str:
        """Say how many listeners there are."""
        ports = " ".join(str(verdict.subject.local.port) for verdict in verdicts)
        return self._page("machine", f"{ports} {len(incomplete)}")

    def front(self) -> str:
        """Say so."""
        return self._page("front")

    def not_found(self, what: str) -> str:
        """Say what there is not."""
        return self._page(f"no {what}")
