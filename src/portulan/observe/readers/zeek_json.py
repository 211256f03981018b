"""Zeek's conn.log as JSON: an object a line (``LogAscii::use_json``), with what streaming and exports add to it.

Logs of several kinds in one file are told by `_path`; only connections are taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from portulan.observe.readers.records import read_objects
from portulan.observe.readers.source import Bad
from portulan.observe.readers.zeek import read_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation
    from portulan.observe.readers.source import Source

FORMAT = "zeek-json"
SAYS = "Zeek: conn.log as JSON"

_KEYS = ('"uid"', '"id.orig_h"', '"id.resp_p"', '"proto"')


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether the first object has the keys of a connection, and those that conn.log alone has."""
    first = re.match(r"[\s\[]*\{[^{}]*\}", head)
    if first is None or not all(key in first[0] for key in _KEYS):
        return False
    return '"conn_state"' in first[0] or re.search(r'"_path"\s*:\s*"conn"', first[0]) is not None


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the connections that were answered."""
    for found in read_objects(source):
        if isinstance(found, Bad):
            yield found
            continue
        line, record = found
        if record.get("_path", "conn") != "conn":
            continue
        try:
            observation = read_connection({name: _text(value) for name, value in record.items()}, source)
        except KeyError as error:
            yield Bad(line, f"no {error}")
        except ValueError as error:
            yield Bad(line, str(error))
        else:
            if observation is not None:
                yield observation


def _text(value: Any) -> str | None:  # noqa: ANN401  # whatever JSON has
    """Return a value as conn.log has it in columns."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return None if value is None else str(value)
