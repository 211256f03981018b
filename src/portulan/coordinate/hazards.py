"""What speaks against taking a port: each hazard a code, a reason, a source and a severity.

Codes are stable: H1 to H24. A finding about one port is a `Hazard`; `docs/hazards/` has a page for each code.
"""

from __future__ import annotations

from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Severity = Literal["blocks", "warns", "notes", "favours"]


class Hazard(Value):
    """One thing that speaks against a port, or, where it `favours` it, for it.

    severity: what `blocks` makes the port useless now or somewhere it is meant for; what `warns` will bite some day;
    what `notes` is worth knowing.
    """

    code: str
    port: int
    severity: Severity
    reason: str
    source: str
