"""What can happen to the machine, one thing at a time, and the one finding that a check is to make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.scenario.programs import DIAL, PROGRAMS, Program
from tests.scenario.steps import amended, commanded, configured, deleted, replaced, ruled, started, stopped, together

if TYPE_CHECKING:
    from tests.scenario.steps import Step

BY_HAND = """
[[rule]]
effect = "forbid"
note = "PT302"
reason = "what is gone cannot be looked at"

[[rule]]
effect = "forbid"
port = 23

[[rule]]
effect = "allow"
port = 12345
name = "memcached"

[[rule]]
effect = "expect"
port = 5432
transport = "tcp"
direction = "connect"
executable = "/usr/lib/postgresql/*/bin/psql"
reason = "the shop keeps a connection"

[[rule]]
effect = "forbid"
port = 11211
direction = "connect"
executable = "/usr/bin/python3*"

[[rule]]
effect = "expect"
port = 69
transport = "udp"
name = "in.tftpd"
"""
"""Rules that nobody can learn; they stand before those that were learned."""


class Change(NamedTuple):
    """One thing that happens and its end, and the one finding: `PT201 2528/tcp`, or None.

    `asks` tells whether it is only seen by asking what answers, `groups` whether it takes a control group.
    """

    what: str
    make: Step
    undo: Step
    finding: str | None
    asks: bool = False
    groups: bool = False


def memcached(words: str, *holds: str) -> Program:
    """Return one more memcached."""
    return Program("memcached", f"/usr/bin/memcached -u root {words}", holds)


def redis(words: str, *holds: str, apart: bool = False) -> Program:
    """Return one more Redis."""
    return Program("redis-server", f"/usr/bin/redis-server --save '' --bind {words}", holds, apart=apart)


def script(text: str, words: str = "", holds: tuple[str, ...] = (), dials: tuple[str, ...] = ()) -> Program:
    """Return a script that an interpreter runs."""
    return Program("python3-minimal", f"/usr/bin/python3 script.py {words}", holds, dials, {"script.py": text})


def dialling(port: int) -> Program:
    """Return a script that dials."""
    return script(DIAL, f"127.0.0.1 {port}", dials=(f"127.0.0.1:{port}",))


SHARE = """
import signal, socket
sharing = socket.socket()
sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
sharing.bind(("127.0.0.1", 8180))
sharing.listen()
signal.pause()
"""

ASK = """
import signal, socket
asking = socket.socket(type=socket.SOCK_DGRAM)
asking.bind(("", 0))
signal.pause()
"""

TAKE = """nft -f - <<.
table ip chart {
  chain taken {
    type nat hook prerouting priority dstnat
    tcp dport 7000 redirect to :80
  }
}
.
"""

NEW = (
    Change(
        "a new listener",
        *started(memcached("-l 127.0.0.1 -p 11311 -U 0", "tcp 127.0.0.1:11311")),
        "PT201 11311/tcp",
    ),
    Change(
        "a new listener by UDP",
        *started(memcached("-l 127.0.0.1 -p 0 -U 11311", "udp 127.0.0.1:11311")),
        "PT201 11311/udp",
    ),
    Change("a new listener on ::1 alone", *started(redis("::1 --port 6399", "tcp [::1]:6399")), "PT201 6399/tcp"),
    Change(
        "a new listener on every address of IPv6 alone",
        *started(
            PROGRAMS["dropbear"]._replace(command="/srv/dropbear/dropbear -F -p [::]:2200", holds=("tcp [::]:2200",))
        ),
        "PT201 2200/tcp",
    ),
    Change(
        "a new listener among the numbers of clients",
        *started(redis("127.0.0.1 --port 45000", "tcp 127.0.0.1:45000")),
        "PT201 45000/tcp",
    ),
    Change(
        "a new listener in a network of its own",
        *started(redis("127.0.0.1 --port 6400", "tcp 127.0.0.1:6400", apart=True)),
        "PT201 6400/tcp",
    ),
    Change("a rule of the firewall that takes a port", *commanded(TAKE, "nft delete table ip chart"), "PT201 7000/tcp"),
    Change(
        "the same program by UDP as well",
        *replaced(
            "memcached",
            command="/usr/bin/memcached -l 127.0.0.1 -p 11211 -U 11211",
            holds=("tcp 127.0.0.1:11211", "udp 127.0.0.1:11211"),
        ),
        "PT201 11211/udp",
    ),
)

OTHERS = (
    Change(
        "another program on the same port",
        *together(stopped("slapd"), started(redis("127.0.0.1 --port 389", "tcp 127.0.0.1:389"))),
        "PT202 389/tcp",
    ),
    Change(
        "another program where a rule tells a name alone",
        *together(stopped("tftpd"), started(memcached("-l 0.0.0.0 -p 0 -U 69", "udp 0.0.0.0:69"))),
        "PT202 69/udp",
    ),
    Change(
        "a copy of the program at another place",
        *replaced("lighttpd", before="cp -n /usr/sbin/lighttpd .", command="/srv/lighttpd/lighttpd -D -f l.conf"),
        "PT202 8081/tcp",
    ),
    Change(
        "another script",
        *replaced("exporter", before="cp exporter.py other.py", command="/usr/bin/python3 /srv/exporter/other.py"),
        "PT202 9100/tcp",
    ),
    Change("another user", *replaced("tinyproxy", user="www-data"), "PT202 8888/tcp"),
    Change("another unit", *replaced("exporter", unit="other"), "PT202 9100/tcp", groups=True),
    Change(
        "a second program that shares the port",
        *started(script(SHARE, holds=("tcp 127.0.0.1:8180",))),
        "PT202 8180/tcp",
    ),
)

ELSEWHERE = (
    Change(
        "moved from loopback to every address",
        *replaced("slapd", command="/usr/sbin/slapd -d 0 -f s.conf -h ldap://0.0.0.0:389", holds=("tcp 0.0.0.0:389",)),
        "PT203 389/tcp",
    ),
    Change(
        "moved from loopback to a private address",
        *configured("caddy", "127.0.0.1:2019", "10.23.0.1:2019", holds=("tcp *:8090", "tcp 10.23.0.1:2019")),
        "PT203 2019/tcp",
    ),
    Change(
        "moved from a private address to every one",
        *configured("stunnel", "10.23.0.1:6380", ":::6380", holds=("tcp *:6380",)),
        "PT203 6380/tcp",
    ),
    Change(
        "moved from a private address to loopback, which is within",
        *configured("tinyproxy", "Listen 10.23.0.1", "Listen 127.0.0.1", holds=("tcp 127.0.0.1:8888",)),
        None,
    ),
)

GONE = (
    Change("a service gone", *stopped("ngircd"), "PT205 6667/tcp"),
    Change("a service by UDP gone", *stopped("snmpd"), "PT205 161/udp"),
    Change(
        "one of two transports gone",
        *configured("kamailio", "listen=tcp:10.23.0.1:5060", "disable_tcp=yes", holds=("udp 10.23.0.1:5060",)),
        "PT205 5060/tcp",
    ),
    Change(
        "one of several numbers gone",
        *configured("haproxy", "8000-8002", "8000-8001", holds=PROGRAMS["haproxy"].holds[:-1]),
        "PT205 8002/tcp",
    ),
    Change("a dial gone", *stopped("psql"), "PT205 5432/tcp"),
)

FORBIDDEN = (
    Change("2528 dialled by somebody else", *started(dialling(2528)), "PT104 2528/tcp"),
    Change("a dial that is forbidden", *started(dialling(11211)), "PT207 11211/tcp"),
    Change("a number that is forbidden", *started(redis("127.0.0.1 --port 23", "tcp 127.0.0.1:23")), "PT207 23/tcp"),
    Change("an executable deleted, which is forbidden", *deleted("dropbear", "dropbear"), "PT207 2222/tcp"),
)

EXPIRED = (
    Change("a rule that is needed has expired", *amended(873, "expires = 2020-02-29"), "PT206 873/tcp"),
    Change(
        "a rule that nothing needs has expired",
        *ruled('[[rule]]\neffect = "allow"\nport = 7007\ntransport = "tcp"\nexpires = 2020-02-29'),
        "PT209 7007/tcp",
    ),
)

ASKED = (
    Change(
        "another protocol",
        *configured(
            "haproxy",
            "frontend statistics\n  bind 127.0.0.1:8404\n  stats enable",
            "listen mail\n  mode tcp\n  bind 127.0.0.1:8404\n  server mail 127.0.0.1:25",
        ),
        "PT204 8404/tcp",
        asks=True,
    ),
    Change(
        "a protocol that is forbidden",
        *ruled('[[rule]]\neffect = "forbid"\nport = "1-1024"\nprotocol = "ftp"'),
        "PT207 21/tcp",
        asks=True,
    ),
)

NOTHING = (
    Change(
        "four workers instead of one",
        *configured(
            "nginx",
            "processes 1",
            "processes 4",
            holds=(*PROGRAMS["nginx"].holds, *["tcp 127.0.0.1:8180"] * 3),
            processes=5,
        ),
        None,
    ),
    Change("started anew", *replaced("dnsmasq"), None),
    Change("one more client", *started(PROGRAMS["redis-cli"]), None),
    Change("one more client by UDP", *started(script(ASK, holds=("udp 0.0.0.0:*",))), None),
    Change(
        "a listener that is allowed",
        *started(memcached("-l 127.0.0.1 -p 12345 -U 0", "tcp 127.0.0.1:12345")),
        None,
    ),
)

CHANGES = (*NEW, *OTHERS, *ELSEWHERE, *GONE, *FORBIDDEN, *EXPIRED, *ASKED, *NOTHING)
