"""The judge: one situation a test, against the real map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.judge.rules import RULES
from portulan.model import PORTS, PortRange, Redirect
from tests.judge.situations import answers, judged, process, says_nothing, short, socket

if TYPE_CHECKING:
    from portulan.model import Process
    from portulan.registry.index import Index

SSHD = process("/usr/sbin/sshd")
IMAP = [(993, "imaps"), (143, "imaps"), (993, "imap"), (143, "imap")]
MAILER = process("/home/shop/mailer", executable_writable="/home/shop")


def test_sshd_on_22(index: Index) -> None:
    """A program of the assigned service on its number is registered."""
    assert short(judged(index, socket("listen", 22, SSHD))) == ("registered", "ok", None)


def test_sshd_moved(index: Index) -> None:
    """A server that was moved is elsewhere, which alarms nobody; the number's service is named."""
    assert short(judged(index, socket("listen", 2222, SSHD))) == ("elsewhere", "ok", "EtherNet-IP-1")


def test_3cx_dials_2528(index: Index) -> None:
    """A program of 3CX that dials 2528 does what 3CX is reported to do, and the report is cited."""
    verdict = judged(index, socket("connect", 2528, process("/usr/sbin/3CXGatewayService")))
    assert short(verdict) == ("known-unofficial", "ok", "ncr-ccl")
    use = next(item for item in verdict.because if item.kind == "use")
    assert use.statement == "3CX Phone System is reported to dial 2528/tcp for SMTP"
    assert use.source.startswith("https://github.com/svetek/")


@pytest.mark.parametrize("direction", ["connect", "listen", "accept"])
@pytest.mark.parametrize(
    "owner",
    [
        process("/opt/shop/mailer"),
        process("/usr/sbin/nginx"),
        process("/usr/lib/postgresql/15/bin/postgres"),
        process("/usr/bin/python3.11", "python3", "-m", "smtplib"),
        process("/usr/sbin/sshd"),
    ],
    ids=lambda owner: owner.executable.rpartition("/")[2],
)
def test_anybody_else_on_2528(index: Index, direction: str, owner: Process) -> None:
    """Whoever else dials or holds 2528 is unexplained and to be investigated, programs that 3CX bundles included."""
    verdict = judged(index, socket(direction, 2528, owner))
    assert short(verdict) == ("unexplained", "investigate", "ncr-ccl")
    assert verdict.rule == "PT104"
    decisive = [item for item in verdict.because if item.weight == "decides"]
    assert decisive[-1].statement.startswith(f"{owner.executable} is not an executable of 3CX")
    assert verdict.advice
    assert str(owner.executable) in verdict.advice


def test_bundled_program_is_not_its_bundler(index: Index) -> None:
    """The verdict on nginx at 2528 says that 3CX bundles it and that this proves nothing."""
    verdict = judged(index, socket("connect", 2528, process("/usr/sbin/nginx")))
    assert "also bundles" in verdict.because[-1].statement


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"executable_writable": "/srv/drop"}, "/srv/drop can be written"),
        ({"executable_status": "deleted"}, "deleted"),
    ],
)
def test_name_not_believed(index: Index, facts: dict[str, object], word: str) -> None:
    """A product's name is not believed where others can write, nor when its file is gone."""
    verdict = judged(index, socket("connect", 2528, process("/srv/drop/3CXGatewayService", **facts)))
    assert (verdict.rule, verdict.judgement, verdict.attention) == ("PT106", "unexplained", "investigate")
    assert word in verdict.because[-1].statement
    assert verdict.notes


def test_program_in_memory(index: Index) -> None:
    """A program without a file is investigated on any port."""
    owner = process("/memfd:worker", executable_status="in-memory")
    assert judged(index, socket("listen", 24999, owner)).rule == "PT115"


def test_writable_folder_alone(index: Index) -> None:
    """An unknown program in a writable folder is a note, not a disguise: it claims no name."""
    verdict = judged(index, socket("listen", 24999, MAILER))
    assert (verdict.judgement, verdict.attention) == ("unexplained", "look")
    assert [note.rule for note in verdict.notes] == ["PT301"]


def test_interpreter(index: Index) -> None:
    """An interpreter's name tells nothing of what it runs, and the verdict says so."""
    verdict = judged(index, socket("listen", 8000, process("/usr/bin/python3.11", "python3", "app.py")))
    assert (verdict.rule, verdict.judgement, verdict.attention) == ("PT110", "unexplained", "look")
    assert "its name does not tell which" in verdict.because[-1].statement


def test_script_proves_nothing(index: Index) -> None:
    """The script that an interpreter was told to run is mentioned and proves nothing: whoever starts it chooses it."""
    owner = process("/usr/bin/python3.11", "python3", "/tmp/uvicorn.py", "x:y")  # noqa: S108  # a path to be distrusted
    verdict = judged(index, socket("listen", 8000, owner))
    assert short(verdict)[:2] == ("unexplained", "look")
    assert "its command line names Uvicorn" in verdict.because[-1].statement


def test_command_line_makes_nobody_3cx(index: Index) -> None:
    """A program that 3CX bundles does not become 3CX by an argument that is called like it."""
    nginx = process("/usr/sbin/nginx", "nginx", "-p", "/home/eve/3CX Phone System", "-c", "x.conf")
    assert short(judged(index, socket("connect", 2528, nginx))) == ("unexplained", "investigate", "ncr-ccl")
    postgres = process("/usr/lib/postgresql/15/bin/postgres", "postgres", "-D", "/home/eve/3cxphonesystem")
    assert short(judged(index, socket("connect", 2528, postgres))) == ("unexplained", "investigate", "ncr-ccl")


@pytest.mark.parametrize("tool", ["/usr/bin/curl", "/usr/bin/wget", "/usr/bin/socat", "/usr/bin/nc.openbsd"])
def test_tools_are_at_home_nowhere(index: Index, tool: str) -> None:
    """A tool that serves nothing of its own is not `elsewhere` on a number: it might do anything there."""
    assert judged(index, socket("listen", 24999, process(tool))).attention == "look"


def test_unreadable_owner_beside_a_known_one(index: Index) -> None:
    """Of two owners the one that may not be read keeps the socket from being as it should be."""
    hidden = process(None)
    assert judged(index, socket("listen", 80, process("/usr/sbin/nginx"), hidden)).rule == "PT111"


def test_3cx_holds_what_it_dials(index: Index) -> None:
    """A program of the cited product on its number is never told that it is not of that product."""
    verdict = judged(index, socket("listen", 2528, process("/usr/sbin/3CXGatewayService")))
    assert verdict.attention == "ok"
    assert "is not an executable" not in str(verdict.because)


def test_relay_squats_on_nothing(index: Index) -> None:
    """What passes connections on may well pass on what the number is for."""
    assert short(judged(index, socket("listen", 5432, process("/usr/sbin/haproxy")))) == ("elsewhere", "ok", None)


def test_nobody_is_accused_of_not_being_an_unknown_program(index: Index) -> None:
    """Where no program of a cited product is known, nothing speaks against a stranger."""
    stranger = process("/usr/local/bin/stranger")
    for port in range(1, PORTS):
        uses = [use for use in index.entry(port).known_uses if use.transport == "tcp" and not use.program_known]
        if any(use.direction == "listen" and use.ports.first == use.ports.last for use in uses):
            assert judged(index, socket("listen", port, stranger)).rule != "PT104", port


def test_unit_without_owner(index: Index) -> None:
    """Where the owner may not be read, a system unit still names the program."""
    seen = socket(
        "listen", 22, unit="ssh.service", cgroup="/system.slice/ssh.service", processes_missing="not permitted"
    )
    assert short(judged(index, seen)) == ("registered", "ok", None)


def test_unit_away_from_home(index: Index) -> None:
    """A unit proves nothing away from its number: its control group also holds what it started."""
    seen = socket(
        "listen", 31337, unit="ssh.service", cgroup="/system.slice/ssh.service", processes_missing="not permitted"
    )
    assert short(judged(index, seen))[:2] == ("unknown", "look")


def test_user_unit_proves_nothing(index: Index) -> None:
    """A unit that a user may name at will is no evidence."""
    group = "/user.slice/user-1000.slice/user@1000.service/app.slice/ssh.service"
    seen = socket("listen", 22, unit="ssh.service", cgroup=group, processes_missing="not permitted")
    assert short(judged(index, seen)) == ("unknown", "look", None)


@pytest.mark.parametrize("missing", ["not permitted", "other namespace", "closed before it could be read"])
def test_owner_missing(index: Index, missing: str) -> None:
    """Without an owner nothing is known, and the reason is said; the number's name is no evidence."""
    verdict = judged(index, socket("listen", 22, processes_missing=missing))
    assert (verdict.judgement, verdict.attention, verdict.rule) == ("unknown", "look", "PT111")


def test_kernel_socket(index: Index) -> None:
    """A socket that no process holds has words of its own."""
    verdict = judged(index, socket("listen", 2049, processes_missing="no process holds it"))
    assert (verdict.judgement, verdict.rule) == ("unknown", "PT112")
    assert "kernel" in verdict.because[-1].statement


def test_ended_connection(index: Index) -> None:
    """A connection that has ended is nothing to look at."""
    seen = socket("connect", 2528, processes_missing="no process holds it", socket_state="time-wait", inode=0)
    assert short(judged(index, seen)) == ("unknown", "ok", None)


def test_one_foreign_owner_is_enough(index: Index) -> None:
    """Of several owners the worst decides."""
    assert judged(index, socket("listen", 22, SSHD, process("/tmp/sshd", executable_writable="/tmp"))).rule == "PT106"  # noqa: S108  # a path to be distrusted


def test_service_manager_does_not_spoil(index: Index) -> None:
    """The service manager beside the service it started changes nothing."""
    assert judged(index, socket("listen", 22, process("/usr/lib/systemd/systemd"), SSHD)).rule == "PT101"


def test_service_manager_alone(index: Index) -> None:
    """The service manager alone on a number holds it for somebody: it is neither at home nor away from it."""
    verdict = judged(index, socket("listen", 22, process("/usr/lib/systemd/systemd")))
    assert short(verdict) == ("unexplained", "look", None)


def test_crowded_number(index: Index) -> None:
    """On a number that many products share, an unknown program is nothing to be alarmed at."""
    assert short(judged(index, socket("listen", 8080, process("/usr/local/bin/shop"))))[:2] == ("unexplained", "look")


def test_client_of_a_served_number(index: Index) -> None:
    """A program that dials a number which products are cited to hold may be a client of theirs."""
    verdict = judged(index, socket("connect", 5432, process("/usr/local/bin/shop")))
    assert (verdict.judgement, verdict.attention) == ("unexplained", "look")


def test_registered_without_cited_use(index: Index) -> None:
    """PostgreSQL on 5432 is registered by its name and the registry's."""
    owner = process("/usr/lib/postgresql/15/bin/postgres")
    assert short(judged(index, socket("listen", 5432, owner)))[:2] == ("registered", "ok")


def test_probe_agrees(index: Index) -> None:
    """What answers decides where the program says nothing."""
    verdict = judged(index, socket("listen", 22, process("/usr/local/bin/thing")), answers("ssh", 22))
    assert (verdict.judgement, verdict.rule) == ("registered", "PT102")


def test_probe_contradicts(index: Index) -> None:
    """Another protocol than the map's on a documented number is a mismatch to investigate."""
    verdict = judged(index, socket("listen", 179, process("/usr/local/bin/thing")), answers("http", 179, "http"))
    assert (verdict.judgement, verdict.attention, verdict.squats_on) == ("elsewhere", "investigate", "bgp")


def test_tls_is_part_of_what_a_number_promises(index: Index) -> None:
    """IMAP inside TLS is at home on 993 and against the map on 143, and the other way round."""
    thing = process("/usr/local/bin/thing")
    rules = [judged(index, socket("listen", port, thing), answers("imap", port, name)).rule for port, name in IMAP]
    assert rules == ["PT102", "PT109", "PT109", "PT102"]


def test_mail_on_a_dialled_number(index: Index) -> None:
    """SMTP on 2528 is what 3CX dials; a program that is not 3CX's is against the cited use all the same."""
    spoken = answers("smtp", 2528, "smtp")
    assert short(judged(index, socket("listen", 2528, MAILER), spoken))[:2] == ("unexplained", "investigate")
    assert judged(index, socket("listen", 2528, processes_missing="not recorded"), spoken).rule == "PT118"
    other = answers("http", 2528, "http")
    assert judged(index, socket("listen", 2528, processes_missing="not recorded"), other).rule == "PT108"


def test_silence_where_the_server_speaks_first(index: Index) -> None:
    """A server that must greet and does not is not what the number promises, or does not work."""
    thing = process("/usr/local/bin/thing")
    assert short(judged(index, socket("listen", 22, thing), says_nothing(22)))[:2] == ("unexplained", "investigate")
    assert short(judged(index, socket("listen", 22, SSHD), says_nothing(22)))[:2] == ("registered", "look")
    closes = says_nothing(22, "closes")  # as a list of allowed clients makes it
    assert judged(index, socket("listen", 22, SSHD), closes).rule == "PT101"
    assert judged(index, socket("listen", 179, thing), says_nothing(179)).rule == "PT105"  # BGP's server need not


def test_probe_on_nobodys_number(index: Index) -> None:
    """A known protocol on a number that is nobody's is elsewhere, and fine."""
    verdict = judged(index, socket("listen", 24999, process("/usr/local/bin/thing")), answers("http", 24999, "http"))
    assert short(verdict) == ("elsewhere", "ok", None)


@pytest.mark.parametrize(("port", "program"), [(3128, "/usr/sbin/squid"), (8888, "/usr/bin/tinyproxy")])
def test_a_form_of_http_is_what_is_cited_for_http(index: Index, port: int, program: str) -> None:
    """A proxy that is cited to hold a number for HTTP, and answers as a proxy of HTTP, is at home."""
    verdict = judged(index, socket("listen", port, process(program)), answers("http-proxy", port))
    assert short(verdict)[:2] == ("known-unofficial", "ok")
    assert judged(index, socket("listen", port, process(program)), answers("ssh", port)).rule == "PT109"


def test_probe_does_not_clear_a_disguise(index: Index) -> None:
    """A disguised program that speaks the right protocol is still disguised."""
    owner = process("/tmp/sshd", executable_writable="/tmp")  # noqa: S108  # a path to be distrusted
    assert judged(index, socket("listen", 22, owner), answers("ssh", 22)).rule == "PT106"


def test_malware_history_is_a_note(index: Index) -> None:
    """A number's history with malware is told where nothing is explained, and decides nothing."""
    verdict = judged(index, socket("connect", 22, process("/usr/local/bin/thing")))
    assert verdict.attention == "look"
    assert "PT303" in [note.rule for note in verdict.notes]


def test_every_rule_is_reached(index: Index) -> None:
    """The situations of this file between them use every rule but a policy's, and none that the table lacks."""
    seen = {
        judged(index, observation, identification).rule
        for observation, identification in [
            (socket("listen", 22, SSHD), None),
            (socket("listen", 22, process("/usr/local/bin/thing")), answers("ssh", 22)),
            (socket("connect", 2528, process("/usr/sbin/3CXGatewayService")), None),
            (socket("connect", 2528, MAILER), None),
            (socket("listen", 24999, MAILER), None),
            (socket("listen", 22, process("/srv/sshd", executable_writable="/srv")), None),
            (socket("listen", 2222, SSHD), None),
            (socket("listen", 24999, process("/usr/local/bin/thing")), answers("http", 24999)),
            (socket("listen", 179, process("/usr/local/bin/thing")), answers("http", 179)),
            (socket("listen", 8000, process("/usr/bin/python3.11")), None),
            (socket("listen", 22, processes_missing="not permitted"), None),
            (socket("listen", 2049, processes_missing="no process holds it"), None),
            (socket("connect", 22, processes_missing="no process holds it", inode=0, socket_state="time-wait"), None),
            (socket("listen", 8000, process("/usr/local/bin/thing")), answers("http", 8000)),
            (socket("listen", 8000, process("/memfd:x", executable_status="in-memory")), None),
            (socket("listen", 8000, process("/usr/bin/socat")), None),
            (socket("listen", 2528, processes_missing="not permitted"), answers("smtp", 2528)),
            (socket("listen", 22, process("/usr/local/bin/thing")), says_nothing(22)),
            (socket("listen", 22, SSHD), says_nothing(22)),
            (
                socket(
                    *("listen", 8000),
                    socket_state="redirected",
                    redirect=Redirect(None, 80, "nftables", "a rule", PortRange(8000, 8000)),
                ),
                None,
            ),
        ]
    }
    assert seen == set(RULES) - {"PT200", "PT207", "PT210", "PT211"}
