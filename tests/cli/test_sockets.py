"""The page's part about who is here: what it says once and what it says of each socket."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from portulan.answer import Answer
from portulan.cli.sockets import render_territory
from portulan.cli.terminal import Style
from portulan.registry.index import open_index
from tests.judge.situations import judged, process, socket

if TYPE_CHECKING:
    from portulan.model import Observation


def page_of(*observations: Observation) -> str:
    """Render sockets on 2528 with their verdicts."""
    index = open_index()
    verdicts = tuple(judged(index, seen) for seen in observations)
    answer = Answer("2528", 2528, None, "user", index.entry(2528), observations, verdicts, ())
    return render_territory(answer, Style(io.StringIO()))


def test_each_direction_has_its_own_advice() -> None:
    """A program that holds a port and dials it has two meanings, each with the advice that fits; serving is holding."""
    python = process("/usr/bin/python3.11")
    text = page_of(socket("listen", 2528, python), socket("connect", 2528, python), socket("accept", 2528, python))
    assert re.findall(r"\[(\d)\] (holds|dials|serves)", text) == [("1", "holds"), ("2", "dials"), ("1", "serves")]
    assert "do: Find out what /usr/bin/python3.11 serves on port 2528." in text
    assert "do: Find out what /usr/bin/python3.11 sends to 127.0.0.1 port 2528." in text
