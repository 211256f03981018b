"""A check to report: what a real policy and the real judge make of a few sockets."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from portulan.cli.reports import write
from portulan.judge.checking import Checking
from portulan.judge.findings import Check
from portulan.judge.matching import Rulebook
from portulan.judge.policy import Policy, Rule
from portulan.model import Endpoint, Incomplete, PortRange
from portulan.registry.index import open_index
from tests.judge.situations import NOW, judged, process, socket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from portulan.model import Attention, Observation

FILE = "conf/ports.toml"

POLICY = Policy(
    FILE,
    (
        Rule("expect", (PortRange(22, 22),), ("tcp",), executable=("/usr/sbin/sshd",), reason="we log in", line=3),
        Rule(
            "expect",
            (PortRange(5432, 5432),),
            ("tcp",),
            executable=("/usr/lib/postgresql/*",),
            reason="the shop's database",
            owner="shop",
            line=8,
            column=1,
        ),
        Rule("forbid", (PortRange(23, 23),), ("tcp",), reason="nobody logs in in the clear", line=15),
    ),
)

SSHD = socket("listen", 22, process("/usr/sbin/sshd"), local=Endpoint("0.0.0.0", 22), unit="ssh.service")
MAILER = socket("connect", 2528, process("/home/shop/mailer", user="www-data"), unit="mailer.service")
TELNETD = socket("listen", 23, process("/usr/sbin/in.telnetd", pid=99), local=Endpoint("0.0.0.0", 23))
STRANGER = socket("listen", 8000, process("/opt/x/stranger", pid=7, user="eve"))

REFUSED = Incomplete("owners of 3 sockets", "not permitted", "run as root")


def check_of(
    *sockets: Observation, incomplete: tuple[Incomplete, ...] = (), policy: Policy = POLICY, host: str | None = "pbx1"
) -> Check:
    """Return what a check of a policy finds among sockets."""
    index = open_index()
    checking = Checking(Rulebook(policy, now=NOW), lambda seen, _company: judged(index, seen))
    checking.look_at(host)
    for seen in sockets:
        checking.take(seen)
    return Check(policy, checking.judged, checking.hosts, checking.findings(), incomplete, asked=False)


BAD = check_of(SSHD, MAILER, TELNETD, STRANGER, incomplete=(REFUSED,))
"""PT207 on 23, PT104 on 2528, PT205 on 5432, PT201 on 8000."""

CLEAN = check_of(SSHD, policy=Policy(FILE, POLICY.rules[:1]))


class Terminal(io.StringIO):
    """Takes text as a terminal does."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def written(check: Check, form: str, *, fail_on: Attention = "investigate", stream: io.StringIO | None = None) -> str:
    """Return what is written of a check."""
    taken = stream or io.StringIO()
    write(check, form, taken, fail_on=fail_on, at=NOW)
    return taken.getvalue()


def printable(lines: Iterable[str], *, but: str = "") -> bool:
    """Tell whether lines have nothing that moves, colours, reorders or breaks."""
    return all(letter.isprintable() or letter in but for line in lines for letter in line)
