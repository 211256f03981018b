"""Units of systemd's services."""

from __future__ import annotations

from portulan.observe.declared import systemd_service
from tests.observe.declared.reading import found_in


def found(*lines: str) -> list[str]:
    """Read the section [Service] of a unit, whose first line is 2."""
    return found_in(systemd_service, "\n".join(["[Service]", *lines, ""]), "web.service")


def test_flags_of_a_command_name_ports() -> None:
    """What ends in `port` listens, addresses by the name of their flag, and each number has its own line."""
    command = ("ExecStart=/usr/bin/web --port 9000 \\", "  # for peers", "  --admin-listen=127.0.0.1:9001 --size 8000")
    assert found(*command) == ["2 published 9000", "4 published 9001 on 127.0.0.1"]


def test_the_units_own_variables_are_in_force() -> None:
    """A variable of Environment= counts where it is set and where it is used; `$$` is a dollar sign."""
    rows = ('Environment="PORT=9000" MODE=1', "ExecStart=/usr/bin/web --port ${PORT} --x-port $$PORT --y-port $OTHER")
    assert found(*rows) == ["2 published 9000", "3 published 9000"]


def test_empty_assignments_forget() -> None:
    """An empty ExecStart= or Environment= takes those before it out of force, and no others."""
    rows = ("Environment=PORT=1", "ExecStart=a --port 2", "ExecStartPre=nc -z db 5432", "ExecStart=", "Environment=")
    assert found(*rows, "ExecStart=a --port 3") == ["4 dialled 5432 on db", "7 published 3"]


def test_containers_that_a_unit_runs() -> None:
    """What `docker run` maps is published here and internal there; the version of its image is no port."""
    assert found("ExecStart=/usr/bin/docker run --rm -p 127.0.0.1:8085:80/udp -e PORT=80 redis:7") == [
        "2 internal 80",
        "2 internal 80/udp",
        "2 published 8085/udp on 127.0.0.1",
    ]


def test_what_waits_or_asks_dials() -> None:
    """A client, a proxy's target and a URL are dialled; a process to kill and a sleep are no ports."""
    assert found(
        "ExecStartPre=/bin/sh -c 'until nc -z db 5432; do sleep 1000; done'",
        "ExecStart=/lib/systemd/systemd-socket-proxyd 127.0.0.1:5433",
        "ExecStartPost=/usr/bin/curl -fsS --retry 30 http://localhost:8500/status",
        "ExecStop=/bin/kill -9 8080",
        "TimeoutStartSec=8080",
    ) == ["2 dialled 5432 on db", "3 dialled 5433 on 127.0.0.1", "4 dialled 8500 on localhost"]


def test_sections_that_systemd_does_not_read() -> None:
    """[X-...] and [Unit] declare nothing."""
    assert found_in(systemd_service, "[X-Notes]\nExecStart=a --port 1\n[Service]\n", "a.service") == []
    assert not systemd_service.recognise("<service-group>\n", "a.service")
    assert not systemd_service.recognise("[D-BUS Service]\nExec=a\n", "a.service")
