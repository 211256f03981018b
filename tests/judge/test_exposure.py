"""The notes on where programs lie and who can reach what they serve: where each appears, and where it does not."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from portulan.judge.exposure import CLEARTEXT, DEBUGGERS
from portulan.judge.local import BY_PRODUCT, BY_PROTOCOL
from portulan.judge.rules import NOTES
from portulan.judging import Judging, Veil
from portulan.model import Endpoint, replace
from tests.judge.situations import answers, judged, process, socket

if TYPE_CHECKING:
    from portulan.model import Identification, Observation, Process
    from portulan.registry.index import Index

EVERY = "0.0.0.0"  # to be told, not to be bound
OUTSIDE = "192.0.2.7"
SYSTEM = {"unit": "thing.service", "cgroup": "/system.slice/thing.service"}
POSTGRES = process("/usr/lib/postgresql/15/bin/postgres")
SSHD = process("/usr/sbin/sshd")
THING = process("/usr/local/bin/thing")


def held(port: int, *owners: Process, at: str = EVERY, **facts: object) -> Observation:
    """Return a listener at an address."""
    return socket("listen", port, *owners, local=Endpoint(at, port), **facts)


def noted(index: Index, observation: Observation, answer: Identification | None = None) -> set[str]:
    """Return the codes of the notes on a socket that this file is about."""
    return {note.rule for note in judged(index, observation, answer).notes if note.rule >= "PT309"}


def told(protocol: str, **facts: object) -> Identification:
    """Return what answered."""
    return replace(answers(protocol, 1), **facts)


def test_every_note_has_a_source(index: Index) -> None:
    """A note cites where the reason for it can be read: its kind's source, or one of its own."""
    note = next(note for note in judged(index, held(5432, POSTGRES)).notes if note.rule == "PT312")
    assert note.source.startswith("https://www.postgresql.org/docs/")
    sources = [source for _, source in NOTES.values()] + [*DEBUGGERS.values()]
    sources += [source for _, source in CLEARTEXT.values()]
    sources += [local.source for local in (*BY_PRODUCT.values(), *BY_PROTOCOL.values())]
    assert all(source.startswith("https://") for source in sources)


def test_the_products_are_those_of_the_catalogue(index: Index) -> None:
    """What the tables call a product, the catalogue or a recogniser calls so."""
    answered = {
        "Elasticsearch",
        "OpenSearch",
        "Solr",
        "CouchDB",
        "Jupyter",
        "Werkzeug",
        "Memcached",
        "MariaDB",
        "MySQL",
    }
    answered |= {"Node.js inspector", "Chrome DevTools", "jdwp", "dap", "gdb-remote", "telnet", "ftp"}
    of_programs = {*BY_PRODUCT, *DEBUGGERS, *CLEARTEXT} - answered
    words = """
        postgres mariadbd mysqld redis-server valkey-server memcached mongod clickhouse etcd cupsd exim4 unbound gpsd
        privoxy ollama hugo smtpd sendmail gdbserver dlv telnetd in.rlogind in.rshd
    """
    known = {row.product for name in words.split() for row in index.executables(f"/usr/bin/{name}")}
    assert of_programs <= known


# ------------------------------------------------------------------------------------------------------- the program


def test_from_memory(index: Index) -> None:
    """A program in memory is noted whatever the verdict, so that a policy can forbid it."""
    memory = process("/memfd:x", executable_status="in-memory")
    assert noted(index, held(8000, memory)) == {"PT309"}
    assert noted(index, socket("connect", 443, memory)) == {"PT309"}
    assert noted(index, held(8000, THING)) == set()


DISTRUSTED = [
    r"/tmp/x",  # noqa: S108  # none of these is opened, here and below
    r"/var/tmp/.x/y",  # noqa: S108
    r"/dev/shm/x",  # noqa: S108
    r"/run/shm/x",
    r"/private/tmp/x",
    r"/home/eve/.cache/x",
    r"/root/.x/y",
    r"/Users/eve/.x/y",
]
TRUSTED = [
    r"/tmp/go-build12/b001/exe/main",  # noqa: S108
    r"/tmp/.mount_AppXyz/usr/bin/app",  # noqa: S108
    r"/home/eve/.local/bin/x",
    r"/root/.cargo/bin/x",
    r"/home/eve/.nvm/versions/node/v22/bin/node",
    r"/home/eve/.x",
    r"/home/eve/app/.venv/bin/x",
    r"/tmpfiles/x",  # noqa: S108
    r"/home",
    r"/root/",
    r"C:\Users\eve\.x\y.exe",
]


@pytest.mark.parametrize("path", [*DISTRUSTED, *TRUSTED])
def test_where_programs_do_not_belong(index: Index, path: str) -> None:
    """A program in a temporary or hidden folder is noted; what builds, mounts or installs there is not."""
    assert ("PT310" in noted(index, held(8000, process(path)))) is (path in DISTRUSTED)


def test_netcat_listens(index: Index) -> None:
    """A listener of netcat is noted, by whatever name; one that dials is not, nor socat as a service of the system."""
    for name in ("nc", "nc.openbsd", "nc.traditional", "ncat", "socat"):
        assert noted(index, held(4000, process(f"/usr/bin/{name}"))) == {"PT311"}
        assert noted(index, socket("connect", 4000, process(f"/usr/bin/{name}"))) == set()
    assert noted(index, held(4000, process("/usr/bin/socat"), **SYSTEM)) == set()
    assert noted(index, held(4000, process("/usr/bin/nc.openbsd"), **SYSTEM)) == {"PT311"}
    user = {"unit": "relay.service", "cgroup": "/user.slice/user-1000.slice/user@1000.service/app.slice/relay.service"}
    assert noted(index, held(4000, process("/usr/bin/socat"), **user)) == {"PT311"}


def test_netcat_in_busybox(index: Index) -> None:
    """BusyBox is netcat where it is called so, by a link or by its first word."""
    box = "/usr/bin/busybox"
    assert noted(index, held(4000, process(box, "nc", "-l"))) == {"PT311"}
    assert noted(index, held(4000, process(box, "/bin/nc", "-l"))) == {"PT311"}
    assert noted(index, held(4000, process(box, "busybox", "nc", "-l"))) == {"PT311"}
    assert noted(index, held(4000, replace(process(box), name="nc"))) == {"PT311"}
    assert noted(index, held(4000, process(box, "httpd", "nc"))) == set()
    assert noted(index, held(4000, process(box))) == set()


def test_pid_file(index: Index) -> None:
    """A program that is called like a PID file is noted; a PID file elsewhere, or a program in /run, is not."""
    assert noted(index, held(8000, process("/run/haldrund.pid"))) == {"PT318"}
    assert noted(index, held(8000, process("/var/run/x/initd.lock"))) == {"PT318"}
    assert noted(index, held(8000, process("/run/x/server"))) == set()
    assert noted(index, held(8000, process("/opt/x.pid"))) == set()


# ------------------------------------------------------------------------------------------------------- the service


def test_every_address_without_need(index: Index) -> None:
    """What comes with loopback and holds every address is noted, if its program is believed or it answered."""
    assert noted(index, held(5432, POSTGRES)) == {"PT312"}
    assert noted(index, held(5432, POSTGRES, at="::")) == {"PT312"}
    assert noted(index, held(5432, THING), told("postgresql")) == {"PT312"}
    assert noted(index, held(9200, THING), told("http", product="Elasticsearch")) == {"PT312"}
    unseen = held(5432, processes_missing="not permitted", unit="postgresql@15-main.service", cgroup="/system.slice/x")
    assert noted(index, unseen) == {"PT312"}
    for at in (OUTSIDE, "127.0.0.1", "::1"):
        assert noted(index, held(5432, POSTGRES, at=at)) == set()


def test_every_address_where_it_is_needed(index: Index) -> None:
    """Nothing is said in a container's network, where nobody comes, of other programs, nor of what is not believed."""
    assert noted(index, held(5432, POSTGRES, network_namespace_name="web")) == set()
    assert noted(index, held(5432, POSTGRES, reachable_from="namespace")) == set()
    assert noted(index, held(5432, process("/usr/sbin/pgbouncer")), told("postgresql")) == set()
    assert noted(index, held(80, process("/usr/sbin/nginx"))) == set()
    disguised = process("/srv/postgres", executable_writable="/srv")
    assert noted(index, held(5432, disguised)) == set()
    assert noted(index, socket("accept", 5432, POSTGRES, local=Endpoint(EVERY, 5432))) == set()


def test_unbound_on_every_address(index: Index) -> None:
    """A resolver is noted on 53; the numbers by UDP that it asks others from are none that it serves."""
    unbound = process("/usr/sbin/unbound")
    for transport in ("tcp", "udp"):
        assert noted(index, held(53, unbound, transport=transport)) == {"PT312"}
    assert noted(index, held(40123, unbound, transport="udp")) == set()
    assert noted(index, held(40123, POSTGRES, transport="udp")) == set()


def test_mail_program_on_every_address(index: Index) -> None:
    """A mail program is noted on 25 alone: other numbers are there for others."""
    exim = process("/usr/sbin/exim4")
    assert noted(index, held(25, exim)) == {"PT312"}
    assert noted(index, held(25, exim, at="127.0.0.1")) == set()
    assert noted(index, held(465, exim)) == set()


@pytest.mark.parametrize(
    ("owner", "answer"),
    [
        (process("/usr/bin/gdbserver"), None),
        (process("/usr/bin/dlv"), None),
        (THING, told("jdwp")),
        (THING, told("dap", product="debugpy")),
        (THING, told("gdb-remote")),
        (THING, told("http", product="Node.js inspector")),
        (THING, told("http", product="Chrome DevTools")),
    ],
)
def test_debugger(index: Index, owner: Process, answer: Identification | None) -> None:
    """A debugger that others can reach is noted; on loopback, in a closed network or dialling it is as it should be."""
    for at in (EVERY, OUTSIDE):
        assert noted(index, held(9229, owner, at=at), answer) == {"PT313"}
    assert noted(index, held(9229, owner, at="127.0.0.1"), answer) == set()
    assert noted(index, held(9229, owner, at="127.0.0.1", reachable_from="host"), answer) == set()
    assert noted(index, held(9229, owner, reachable_from="namespace"), answer) == set()


def test_numbers_of_debuggers_alone(index: Index) -> None:
    """The number of a debugger tells nothing, nor does a program that can be one."""
    assert noted(index, held(9229, process("/usr/bin/node", "node", "--inspect=0.0.0.0"))) == set()
    assert noted(index, held(5005, THING), told("http", product="Node.js")) == set()


def test_docker_api(index: Index) -> None:
    """Docker's API that asks nobody who he is is noted wherever it listens; one that does, or a number, is not."""
    open_api = told("http", product="Docker", authentication="none")
    for at in (EVERY, "127.0.0.1"):
        (note,) = [note for note in judged(index, held(2375, THING, at=at), open_api).notes if note.rule == "PT314"]
        assert "in the clear" in note.statement
    secured = replace(open_api, layers=("tcp", "tls", "http"))
    assert "PT314" in noted(index, held(2376, THING), secured)
    assert noted(index, held(2376, THING), replace(open_api, authentication=None)) == set()
    assert noted(index, held(2375, THING)) == set()


def test_store_without_authentication(index: Index) -> None:
    """A store is noted where it answered without authentication and others can reach it, and only then."""
    for protocol, name in (("redis", "Redis"), ("memcached", None), ("http", "Elasticsearch"), ("http", "Solr")):
        answer = told(protocol, product=name, authentication="none")
        assert "PT315" in noted(index, held(6379, THING, at=OUTSIDE), answer)
        assert "PT315" in noted(index, held(6379, THING), answer)
        assert noted(index, held(6379, THING, at="127.0.0.1"), answer) == set()
        for wanted in ("required", None):
            assert noted(index, held(6379, THING, at=OUTSIDE), replace(answer, authentication=wanted)) == set()
    website = told("http", product="nginx", authentication="none")
    assert noted(index, held(80, THING, at=OUTSIDE), website) == set()
    assert noted(index, held(6379, process("/usr/bin/redis-server"), at=OUTSIDE)) == set()


def test_redis_that_was_asked_on_loopback(index: Index) -> None:
    """Where Redis holds every address it was asked on loopback, and says that in protected mode it refuses others."""
    answer = told("redis", product="Redis", authentication="none")

    def said(at: str, **facts: object) -> str:
        notes = judged(index, held(6379, THING, at=at, **facts), answer).notes
        return next(note.statement for note in notes if note.rule == "PT315")

    assert "to this machine" in said(EVERY)
    assert "to this machine" not in said(OUTSIDE)
    assert "to this machine" not in said(EVERY, perspective="imported")


def test_cleartext_login(index: Index) -> None:
    """Telnet and FTP outside of TLS are noted where others can reach them, as are believed programs of that kind."""
    for protocol in ("telnet", "ftp"):
        assert noted(index, held(23, THING), told(protocol)) == {"PT316"}
        inside = told(protocol, layers=("tcp", "tls", protocol))
        assert noted(index, held(990, THING), inside) == set()
        assert noted(index, held(23, THING, at="127.0.0.1"), told(protocol)) == set()
    for name in ("in.rlogind", "in.rshd"):
        assert noted(index, held(513, process(f"/usr/sbin/{name}"))) == {"PT316"}
    telnetd = process("/usr/sbin/telnetd", package="inetutils-telnetd")
    assert noted(index, held(23, telnetd)) == {"PT316"}
    assert noted(index, held(23, telnetd), told("ssh")) == {"PT319"}  # what answers counts
    for protocol in ("imap", "pop3", "smtp", "http"):
        assert noted(index, held(143, THING), told(protocol)) == set()


def test_different_programs_on_one_socket(index: Index) -> None:
    """Two programs that are no kin are noted; workers of one file, and programs of one product or package, are not."""
    other = replace(process("/srv/x"), pid=9)
    assert noted(index, held(8000, THING, other)) == {"PT317"}
    assert noted(index, held(8000, other, THING)) == {"PT317"}
    workers = [replace(THING, pid=pid) for pid in range(4)]
    assert noted(index, held(8000, *workers)) == set()
    master, server = process("/usr/lib/postfix/sbin/master"), process("/usr/lib/postfix/sbin/smtpd")
    assert noted(index, held(25, master, server, at=OUTSIDE)) == set()
    assert noted(index, held(25, master, server, other, at=OUTSIDE)) == {"PT317"}
    systemd = replace(process("/usr/lib/systemd/systemd"), pid=1)
    assert noted(index, held(8000, systemd, THING)) == set()
    assert noted(index, held(69, process("/usr/sbin/inetd"), process("/usr/sbin/in.tftpd"))) == set()
    packaged = [replace(process(f"/opt/app/{name}"), package="app") for name in ("one", "two")]
    assert noted(index, held(8000, *packaged)) == set()


def test_ssh_away_from_22(index: Index) -> None:
    """SSH away from 22 is noted, and the verdict stays what it was; what sshd forwards for a client is not SSH."""
    assert noted(index, held(2222, SSHD)) == {"PT319"}
    assert judged(index, held(2222, SSHD)).attention == "ok"
    assert noted(index, held(2222, THING), told("ssh")) == {"PT319"}
    assert noted(index, held(2222, process("/usr/sbin/dropbear"), **SYSTEM)) == {"PT319"}
    assert noted(index, held(22, SSHD)) == set()
    assert noted(index, held(6010, SSHD, at="127.0.0.1")) == set()
    assert noted(index, held(8080, SSHD, unit="session-3.scope")) == set()
    assert noted(index, held(8080, SSHD), told("http")) == set()
    client = process("/usr/bin/ssh")
    assert noted(index, socket("connect", 443, client)) == {"PT319"}
    assert noted(index, socket("connect", 22, client)) == set()
    assert noted(index, socket("connect", 5432, SSHD)) == set()  # what it passes on


# ----------------------------------------------------------------------------------------------- one kind, one verdict


def test_a_note_stays_with_its_socket(index: Index) -> None:
    """Sockets of the same processes differ by address, reach, network, number and company: no note goes astray."""
    owners = {
        "postgres": (POSTGRES,),
        "sshd": (SSHD,),
        "exim": (process("/usr/sbin/exim4"),),
        "gdbserver": (process("/usr/bin/gdbserver"),),
        "thing": (THING,),
        "unbound": (process("/usr/sbin/unbound"),),
    }
    addresses = ("0.0.0.0", "::", "127.0.0.1", "192.0.2.7")  # as above
    reaches = (None, "namespace", "host", "outside")
    companies = (frozenset[str](), frozenset(("/srv/x", "/usr/local/bin/thing")))
    kinds = product(owners.values(), addresses, reaches, (None, "web"), (22, 25, 53, 2222, 5432), companies)
    everything = [
        (held(port, *of, at=at, reachable_from=reach, network_namespace_name=name), company)
        for of, at, reach, name, port, company in kinds
    ]
    together = Judging(index, Veil(with_command_lines=False))
    seen: set[str] = set()
    for observation, company in [*everything, *reversed(everything)]:
        alone = Judging(index, Veil(with_command_lines=False))(observation, company)
        assert together(observation, company) == alone
        seen.update(note.rule for note in alone.notes)
    assert {"PT312", "PT313", "PT317", "PT319"} <= seen
