"""A policy: what somebody expects, allows and forbids on the ports of some machines, rule by rule.

The file is `ports.toml`; `parsing` reads it, `matching` compares its rules with what is there, `checking` makes
findings of the difference.
"""

from __future__ import annotations

from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Literal

    from portulan.model import Direction, PortRange, Transport

    Effect = Literal["expect", "allow", "forbid"]
    Connections = Literal["judged", "listed"]


class Rule(Value):
    """One `[[rule]]` as its file has it, under the names of its keys; what it does not select by is an empty tuple.

    effect: what a rule expects is to be there, what it allows may be, what it forbids may not. `expires` is the moment
    from which the rule no longer works; `line` and `column` are where it begins, from 1.

    `port` are numbers and ranges (of which a rule that expects wants each one to be there); `address` is what the
    socket may be bound to, or a dial come from: `loopback`, `private`, `any`, addresses and networks; `peer` likewise
    whom it dials. `executable`, `name`, `script`, `package`, `unit`, `image`, `user` and `host` are patterns with `*`,
    `?` and `[...]`; `tag` are names of groups of hosts, `note` codes of notes that are forbidden.
    """

    effect: Effect
    port: tuple[PortRange, ...] = ()
    transport: tuple[Transport, ...] = ()
    direction: Direction = "listen"
    address: tuple[str, ...] = ()
    peer: tuple[str, ...] = ()
    executable: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    package: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    protocol: tuple[str, ...] = ()
    note: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    reason: str | None = None
    owner: str | None = None
    expires: datetime | None = None
    citation: str | None = None
    line: int = 1
    column: int = 1


class Tag(Value):
    """A name for some hosts, which patterns select."""

    name: str
    hosts: tuple[str, ...]


class Policy(Value):
    """A policy as its file has it. `connections` tells what becomes of a dial that no rule is about.

    `judged`: it gets the verdict that it would have without a policy; `listed`: it is a finding, as a listener is.
    """

    file: str
    rules: tuple[Rule, ...]
    tags: tuple[Tag, ...] = ()
    connections: Connections = "judged"
