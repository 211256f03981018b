"""What a check of a policy finds."""

from __future__ import annotations

from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.judge.policy import Policy, Rule
    from portulan.model import Attention, Direction, Incomplete, Transport, Verdict


class Location(Value):
    """A place in a policy's file; lines and columns count from 1."""

    file: str
    line: int
    column: int


class Finding(Value):
    """One difference between a policy and what is there, or one verdict that is not to be passed over.

    `rule` is its code, `title` what that means, `statement` the case in a sentence. `expected` is the policy's rule
    that it is about, and its `location` that rule's, or the beginning of the file. `verdict` is that on the first of
    the sockets that it is about, of which there are `count`; None where something is missing. `port` is None for a rule
    that is about no number.

    The fingerprint is the same as long as the same is the matter: of one host it covers rule, direction, transport,
    port, address scope and executable.
    """

    rule: str
    fingerprint: str
    title: str
    attention: Attention
    location: Location
    port: int | None
    transport: Transport | None
    expected: Rule | None
    verdict: Verdict | None
    direction: Direction
    host: str | None
    statement: str
    advice: str | None
    count: int


class Check(Value):
    """What came of a check: how many sockets of which hosts were `judged`, what was found, what could not be seen.

    Findings are sorted by host, port, transport and rule, whatever order the sockets came in. `asked` tells whether
    what answers was asked for.
    """

    policy: Policy
    judged: int
    hosts: tuple[str | None, ...]
    findings: tuple[Finding, ...]
    incomplete: tuple[Incomplete, ...]
    asked: bool
