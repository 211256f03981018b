"""Templates are translated before they are compiled, and escape what is put into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from markupsafe import Markup

from portulan.atlas.templating import environment
from portulan.atlas.words import Words

if TYPE_CHECKING:
    from pathlib import Path


class Shouting(Words):
    """A language of capitals, whose order of words is another."""

    def __init__(self) -> None:
        """Translate two texts."""
        super().__init__()
        texts = {"{dog} bites {man} & runs": "{man} < {dog}", "plain": "PLAIN <b>"}
        self.gettext = lambda message: texts.get(message, message)


def rendered(folder: Path, source: str, **values: object) -> str:
    """Render a template."""
    (folder / "page.html").write_text(source, "utf-8")
    return environment(Shouting(), folder).get_template("page.html").render(values)


def test_values_stand_where_the_translation_has_them(tmp_path: Path) -> None:
    """The places of a text may be in another order; texts and values are escaped, markup is not."""
    source = '{{ _("{dog} bites {man} & runs", dog=dog, man=man) }}'
    assert rendered(tmp_path, source, dog="<Rex>", man=Markup("<i>he</i>")) == "<i>he</i> &lt; &lt;Rex&gt;"


def test_a_text_alone_is_put_there_at_once(tmp_path: Path) -> None:
    """What has no places is part of the compiled template, escaped."""
    assert rendered(tmp_path, '<p title="{{ _("plain") }}">') == '<p title="PLAIN &lt;b&gt;">'


@pytest.mark.parametrize("source", ['{{ _("{dog}", cat=1) }}', "{{ _(text) }}", '{{ _("a", "b") }}'])
def test_a_text_that_cannot_be_filled_is_found_at_once(tmp_path: Path, source: str) -> None:
    """A place without a value, or a text that is not written there, fails when the template is compiled."""
    with pytest.raises((KeyError, TypeError)):
        rendered(tmp_path, source, text="x")


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A template that names what nobody gave fails, and prints no empty text."""
    with pytest.raises(Exception, match="nowhere"):
        rendered(tmp_path, "{{ nowhere }}")


def test_texts_that_all_pages_have_are_put_in_before(tmp_path: Path) -> None:
    """A global text stands in the compiled template, escaped unless it is markup; nothing else may be called so."""
    source = '{{ site }}{{ mark }}{{ _("{dog} bites {man} & runs", dog=site, man=x.site) }}'
    (tmp_path / "page.html").write_text(source, "utf-8")
    (tmp_path / "loop.html").write_text("{% for site in x %}{{ site }}{% endfor %}", "utf-8")
    templates = environment(Shouting(), tmp_path)
    templates.globals.update(site="<a>", mark=Markup("<b>"))
    assert templates.get_template("page.html").render(x={"site": "y"}) == "&lt;a&gt;<b>y &lt; &lt;a&gt;"
    with pytest.raises(TypeError, match="site"):
        templates.get_template("loop.html")
