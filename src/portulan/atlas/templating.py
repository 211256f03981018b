"""Templates of one language: what is marked in them is translated before they are compiled, not each time.

In a template ``_("...")`` is a text of the catalogue, and ``_("... {name} ...", name=value)`` one with places, whose
values are escaped unless they are markup. A page then costs what it would in English.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import escape

from portulan.atlas.statements import split

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

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
        self._translator = _Translator(words.gettext)

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002  # the name that Jinja gives it
    ) -> Template:
        """Return a compiled template. Raises jinja2.TemplateNotFound and jinja2.TemplateSyntaxError."""
        source, path, _ = self.get_source(environment, name)
        tree: nodes.Template = self._translator.visit(environment.parse(source, name, path))
        code = environment.compile(tree, name, path)
        return environment.template_class.from_code(environment, code, environment.make_globals(globals))


class _Translator(NodeTransformer):
    """Replaces each marked text of a template by its translation, in which its values stand."""

    def __init__(self, gettext: Callable[[str], str]) -> None:
        self._gettext = gettext

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802  # Jinja calls it so
        self.generic_visit(node)
        if not (isinstance(node.node, nodes.Name) and node.node.name == "_"):
            return node
        text, *rest = node.args
        if rest or not isinstance(text, nodes.Const):
            message = f"line {node.lineno}: _() takes one text, and values by name"
            raise TypeError(message)
        values = {value.key: value.value for value in node.kwargs}
        pieces: list[nodes.Expr] = [
            values[piece] if place % 2 else nodes.Const(escape(piece))
            for place, piece in enumerate(split(self._gettext(text.value)))
        ]
        return pieces[0] if len(pieces) == 1 else nodes.Concat(pieces, lineno=node.lineno)
