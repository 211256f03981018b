"""What is behind a socket, judged: the service that systemd starts for it, the rule that takes its number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.judge.program import FOR_CONTAINERS
from portulan.model import PortRange, Redirect, replace
from tests.judge.situations import judged, process, short, socket

if TYPE_CHECKING:
    from portulan.registry.index import Index

MANAGER = process("/usr/lib/systemd/systemd", pid=1)


def test_socket_of_a_known_service(index: Index) -> None:
    """A socket that the system's manager holds for a service is judged by that service's program."""
    seen = socket("listen", 22, MANAGER, unit="ssh.socket", cgroup="/init.scope", activates="ssh.service")
    verdict = judged(index, seen)
    assert short(verdict) == ("registered", "ok", None)
    assert "systemd starts ssh.service for it" in verdict.because[-1].statement
    moved = judged(index, socket("listen", 2222, MANAGER, activates="ssh.service"))
    assert short(moved) == ("elsewhere", "ok", "EtherNet-IP-1")
    contrary = judged(index, socket("listen", 2528, MANAGER, activates="ssh.service"))
    assert (contrary.rule, contrary.attention) == ("PT104", "investigate")


def test_socket_of_an_unknown_service(index: Index) -> None:
    """The service that the manager starts is named where the catalogue does not know its program."""
    verdict = judged(index, socket("listen", 22, MANAGER, unit="shop.socket", activates="shop.service"))
    assert (verdict.rule, verdict.attention) == ("PT110", "look")
    assert "holds it for shop.service (shop.socket), which it starts" in verdict.because[-1].statement


def test_socket_of_a_users_manager(index: Index) -> None:
    """A user's manager starts what the user's files say, whatever they are called."""
    seen = socket("listen", 22, replace(MANAGER, pid=812, user="eve"), activates="ssh.service")
    assert judged(index, seen).rule == "PT110"
    deleted = replace(MANAGER, executable_status="deleted")
    assert judged(index, socket("listen", 22, deleted, activates="ssh.service")).attention != "ok"


def test_socket_unit_without_owner(index: Index) -> None:
    """Where the owner may not be read, the unit that made a socket still tells what is started for it."""
    facts = {"unit": "ssh.socket", "activates": "ssh.service", "processes_missing": "not permitted"}
    seen = socket("listen", 22, cgroup="/system.slice/ssh.socket", **facts)
    assert short(judged(index, seen)) == ("registered", "ok", None)
    assert judged(index, socket("listen", 22, cgroup="/user.slice/user-1.slice/ssh.socket", **facts)).rule == "PT111"
    inside = "/system.slice/docker-1f.scope/system.slice/ssh.socket"  # named by whoever has the container
    assert judged(index, socket("listen", 22, cgroup=inside, **facts)).rule == "PT111"
    assert judged(index, socket("listen", 2222, cgroup="/system.slice/ssh.socket", **facts)).rule == "PT111"


RULE = Redirect(
    *("172.17.0.2", 80, "nftables", "ip nat DOCKER: tcp dport 8080 dnat to 172.17.0.2:80"), ports=PortRange(8080, 8080)
)


def test_port_of_a_rule(index: Index) -> None:
    """A number that a rule takes is held by no socket: where it leads is told, and nothing more is known."""
    seen = socket("listen", 8080, processes_missing="no process holds it", socket_state="redirected", redirect=RULE)
    verdict = judged(index, seen)
    assert (verdict.rule, short(verdict)) == ("PT117", ("unknown", "look", None))
    said = verdict.because[-1]
    assert "passed on to 172.17.0.2:80" in said.statement
    assert said.statement.endswith(f"({RULE.rule})")
    assert said.source == "nft list ruleset"
    assert verdict.advice


def test_rule_on_a_range(index: Index) -> None:
    """A rule on several numbers is about none of them: neither the map nor a note speaks of the one it was met at."""
    every = replace(RULE, by="iptables", ports=PortRange(1, 65_535), from_here=True)
    verdict = judged(index, socket("listen", 1, socket_state="redirected", redirect=every))
    (said,) = verdict.because
    assert said.statement.startswith(
        "a rule of iptables takes 1-65535/tcp for connections from this machine, no socket"
    )
    assert (verdict.rule, verdict.notes) == ("PT117", ())


@pytest.mark.parametrize("program", sorted(FOR_CONTAINERS))
@pytest.mark.parametrize("port", [80, 443, 2375, 5432, 8080])
def test_port_of_a_proxy(index: Index, program: str, port: int) -> None:
    """What stands before a container passes connections on, whatever its product serves: any container answers."""
    proxy = process(f"/usr/bin/{program}")
    verdict = judged(index, socket("listen", port, proxy, redirect=replace(RULE, by="docker-proxy")))
    assert (verdict.rule, *short(verdict)) == ("PT116", "unexplained", "look", None)
    assert f"{program} passes connections on to 172.17.0.2:80" in verdict.because[-1].statement
    assert verdict.advice == "Look at what answers at 172.17.0.2:80."
    assert "passes connections on:" in judged(index, socket("listen", port, proxy)).because[-1].statement


def test_unit_of_a_proxy(index: Index) -> None:
    """docker.service runs dockerd and docker-proxy: the unit alone does not tell which of them holds a number."""
    facts = {"unit": "docker.service", "cgroup": "/system.slice/docker.service", "processes_missing": "not permitted"}
    assert judged(index, socket("listen", 80, **facts)).rule == "PT111"
    assert judged(index, socket("listen", 2375, process("/usr/bin/dockerd"))).attention == "ok"
