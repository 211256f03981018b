"""What the tests of policies are made from: rules, rulebooks, checks, and small worlds for hypothesis to draw."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from portulan.judge.checking import Checking
from portulan.judge.matching import Rulebook
from portulan.judge.policy import Policy, Rule
from portulan.model import PortRange, Process, replace
from tests.judge.situations import NOW, answers, judged, process, socket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from portulan.judge.findings import Finding
    from portulan.model import Observation
    from portulan.registry.index import Index

NGINX, SSHD, PYTHON = "/usr/sbin/nginx", "/usr/sbin/sshd", "/usr/bin/python3.11"
YESTERDAY, TOMORROW = datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)


def rule(effect: str, *ports: int | tuple[int, int], **selectors: object) -> Rule:
    """Return a rule on some ports; a text among the selectors stands for a tuple of one."""
    spans = tuple([PortRange(*one) if isinstance(one, tuple) else PortRange(one, one) for one in ports])
    texts = {"direction", "reason", "owner", "citation"}
    given = {
        key: (value,) if isinstance(value, str) and key not in texts else value for key, value in selectors.items()
    }
    return Rule(effect=effect, port=spans, **given)  # type: ignore[arg-type]  # a test's own words


def rulebook(*rules: Rule, **options: object) -> Rulebook:
    """Return the rules as a file would have them, one a line."""
    placed = tuple([replace(one, line=line) for line, one in enumerate(rules, 1)])
    return Rulebook(Policy("ports.toml", placed, **options), now=NOW)  # type: ignore[arg-type]  # as above


def findings(
    index: Index, rules: Iterable[Rule], seen: Iterable[Observation], *, fail_on: str = "investigate", **options: object
) -> list[Finding]:
    """Check some sockets of this host against some rules."""
    checking = checking_of(index, *rules, fail_on=fail_on, **options)
    checking.look_at("pbx1")
    for observation in seen:
        checking.take(observation)
    return list(checking.findings())


def checking_of(index: Index, *rules: Rule, fail_on: str = "investigate", **options: object) -> Checking:
    """Return a check that has not begun."""
    book = rulebook(*rules, **options)
    return Checking(book, lambda one, _company: judged(index, one, one.identification), fail_on=fail_on)  # type: ignore[arg-type]  # as above


def codes(found: Iterable[Finding]) -> list[str]:
    """Return the codes of findings."""
    return [finding.rule for finding in found]


# A small world, so that rules and sockets often meet: few programs, users, addresses and numbers.

EXECUTABLES = (NGINX, SSHD, PYTHON, "/tmp/x", None)  # noqa: S108  # a path that is compared and never opened
ADDRESSES = ("0.0.0.0", "127.0.0.1", "10.0.0.5", "::", "::1", "fd00::5", "203.0.113.7")
PORTS = (22, 80, 2528, 8000, 40000)

owners: st.SearchStrategy[Process] = st.builds(
    lambda executable, pid, user, status: replace(
        process(executable), pid=pid, user=user, executable_status=status if executable else None
    ),
    st.sampled_from(EXECUTABLES),
    st.integers(1, 9),
    st.sampled_from(["root", "www-data", None]),
    st.sampled_from(["present", "deleted", "unseen"]),
)


@st.composite
def sockets(draw: st.DrawFn) -> Observation:
    """Draw a socket of the small world."""
    port = draw(st.sampled_from(PORTS))
    made = socket(draw(st.sampled_from(["listen", "listen", "connect"])), port, *draw(st.lists(owners, max_size=3)))
    address = draw(st.sampled_from(ADDRESSES))
    if made.peer is not None:
        made = replace(made, peer=replace(made.peer, address=address))
    else:
        made = replace(made, local=replace(made.local, address=address))
    missing = None if made.processes else draw(st.sampled_from(["not permitted", "no process holds it"]))
    return replace(
        made,
        transport=draw(st.sampled_from(["tcp", "udp"])),
        processes_missing=missing,
        socket_user=draw(st.sampled_from(["root", "www-data", None])),
        unit=draw(st.sampled_from(["nginx.service", "ssh.socket", None])),
        cgroup=draw(st.sampled_from([None, "/system.slice/x", "/user.slice/x", "/lxc.payload.x/ssh.socket"])),
        host=draw(st.sampled_from(["pbx1", "web-1", None])),
        perspective=draw(st.sampled_from(["live", "imported"])),
        identification=draw(st.sampled_from([None, answers("http", port), answers("ssh", port)])),
        container_image=draw(st.sampled_from([None, None, "nginx:1.25"])),
    )


def some(*texts: str) -> st.SearchStrategy[tuple[str, ...]]:
    """Draw none or some of a selector's texts."""
    return st.lists(st.sampled_from(texts), max_size=2, unique=True).map(tuple)


spans = st.sampled_from([*[PortRange(port, port) for port in PORTS], PortRange(1, 1023), PortRange(0, 65535)])

rules: st.SearchStrategy[Rule] = st.builds(
    Rule,
    effect=st.sampled_from(["expect", "allow", "forbid"]),
    port=st.lists(spans, max_size=2, unique=True).map(tuple),
    transport=some("tcp", "udp"),
    direction=st.sampled_from(["listen", "listen", "connect"]),
    address=some("loopback", "private", "any", "10.0.0.0/8"),
    executable=some(NGINX, "/usr/*", SSHD),
    unit=some("nginx.service", "*.socket"),
    image=some("nginx:*"),
    user=some("root", "www-*"),
    protocol=some("http", "ssh"),
    host=some("web-*", "pbx1"),
    expires=st.sampled_from([None, None, YESTERDAY, TOMORROW]),
)
