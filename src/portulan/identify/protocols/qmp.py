"""QMP, the monitor of QEMU (its docs/interop/qmp-spec): a greeting in JSON with the version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()


def recognise(answer: Answer) -> Iterator[Match]:
    """Say qmp of the greeting."""
    line = answer.data.partition(b"\n")[0]
    if not line.startswith(b'{"QMP"'):
        return
    try:
        told = json.loads(line)["QMP"]["version"]
        numbers = [int(told["qemu"][part]) for part in ("major", "minor", "micro")]
    except (ValueError, TypeError, KeyError, RecursionError):
        return
    facts = (("package", text_of(str(told.get("package", "")).encode())),)
    yield Match("qmp", CERTAIN, "QMP greeting", "QEMU", ".".join(map(str, numbers)), facts)
