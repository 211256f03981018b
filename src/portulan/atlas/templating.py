"""Templates of one language: what is the same on all of its pages is put into them before they are compiled.

In a template ``_("...")`` is a text of the catalogue, and ``_("... {name} ...", name=value)`` one with places, whose
values are escaped unless they are markup. Texts are translated, and global texts (the language's prefix, IANA's
caveat) put where they are named, so that they become one with what stands around them: a page then costs what differs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import escape

from portulan.atlas.statements import split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from jinja2 import Template

    from portulan.atlas.words import Words

TEMPLATES: Final = Path(__file__).parent / "templates"


def environment(words: Words, folder: Path = TEMPLATES) -> Environment:
    """Return the templates in the language of `words`; everything that they print is escaped."""
    found = Environment(
        loader=TranslatedLoader(folder, words),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    found.globals["ngettext"] = words.ngettext
    return found


class TranslatedLoader(FileSystemLoader):
    """Reads templates and translates them before they are compiled."""

    def __init__(self, folder: Path, words: Words) -> None:
        """Take the folder and the language."""
        super().__init__(folder)
        self._gettext = words.gettext

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002  # the name that Jinja gives it
    ) -> Template:
        """Return a compiled template. Raises jinja2.TemplateNotFound and jinja2.TemplateSyntaxError."""
        source, path, _ = self.get_source(environment, name)
        texts = {name: text for name, text in environment.globals.items() if isinstance(text, str)}
        tree: nodes.Template = _Translator(self._gettext, texts).visit(environment.parse(source, name, path))
        code = environment.compile(tree, name, path)
        # One dictionary, not a chain of them, which each look into costs.
        return environment.template_class.from_code(environment, code, {**environment.globals, **(globals or {})})


class _Translator(NodeTransformer):
    """Replaces each marked text of a template by its translation, in which its values stand, and names of texts too."""

    def __init__(self, gettext: Callable[[str], str], texts: Mapping[str, str]) -> None:
        self._gettext = gettext
        self._texts = texts

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802  # Jinja calls it so
        if node.name not in self._texts:
            return node
        if node.ctx != "load":
            message = f"line {node.lineno}: {node.name} is a text that all pages have"
            raise TypeError(message)
        return nodes.Const(self._texts[node.name])

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802  # as above
        """Print the pieces of a text one by one, where it is printed as it is."""
        pieces = [self._pieces(child) if _is_marked(child) else [self.visit(child)] for child in node.nodes]
        node.nodes = [piece for some in pieces for piece in some]
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802  # as above
        if not _is_marked(node):
            return self.generic_visit(node)
        pieces = self._pieces(node)
        return pieces[0] if len(pieces) == 1 else nodes.Concat(pieces, lineno=node.lineno)

    def _pieces(self, node: nodes.Call) -> list[nodes.Expr]:
        self.generic_visit(node)
        text, *rest = node.args
        if rest or not isinstance(text, nodes.Const):
            message = f"line {node.lineno}: _() takes one text, and values by name"
            raise TypeError(message)
        values = {value.key: value.value for value in node.kwargs}
        return [
            values[piece] if place % 2 else nodes.Const(escape(piece))
            for place, piece in enumerate(split(self._gettext(text.value)))
        ]


def _is_marked(node: nodes.Node) -> TypeGuard[nodes.Call]:
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "_"
