"""What firewalld and ufw have in force: from files that are written here, and from those that the programs write."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from portulan.errors import NotFound, UsageError
from portulan.observe.declared.inforce import in_force
from portulan.observe.readers import Reading
from tests.observe.declared.made import said_by

if TYPE_CHECKING:
    from portulan.model import Incomplete, Observation

SHIPPED = Path("/usr/lib/firewalld")
ZONE = "etc/firewalld/zones/{}.xml"
POLICY = "etc/firewalld/policies/{}.xml"
SERVICE = "etc/firewalld/services/{}.xml"


def write(root: Path, **files: str) -> None:
    """Write files below a root, with their folders; `a__b` is for `a/b`, `a_b` for `a.b`."""
    for name, text in files.items():
        put(root, name.replace("__", "/").replace("_", "."), text)


def put(root: Path, name: str, text: str) -> None:
    """Write a file below a root, with its folders."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def looked(firewall: str, root: Path) -> tuple[list[str], tuple[Incomplete, ...]]:
    """Return what is in force, by file and line, and what could not be read."""
    reading = Reading(in_force(firewall, root))
    found = [_row(one, root) for one in reading]
    return found, reading.incomplete


def _row(one: Observation, root: Path) -> str:
    assert one.declaration is not None
    end = one.peer if one.direction == "connect" else one.local
    assert end is not None
    name = str(Path(one.declaration.file).relative_to(root)).rpartition("/")[2]
    transport = "" if one.transport == "tcp" else f"/{one.transport}"
    address = "" if end.address == "*" else f" on {end.address}"
    return f"{name}:{one.declaration.line} {one.declaration.role} {end.port}{transport}{address}"


def test_other_firewalls_are_not_known() -> None:
    """A name is one of those that are listed."""
    with pytest.raises(UsageError) as caught:
        in_force("pf")
    assert caught.value.hint == "one of firewalld, ufw"


# ----------------------------------------------------------------------------------------------------------- firewalld


def test_the_default_zone_and_those_with_an_interface_or_a_source(tmp_path: Path) -> None:
    """A zone that nothing is assigned to, and that is not the default, lets nothing in."""
    write(
        tmp_path,
        etc__firewalld__firewalld_conf="# DefaultZone=work\nDefaultZone=home\n",
        etc__firewalld__zones__home_xml='<zone>\n<port port="8080" protocol="tcp"/>\n</zone>',
        etc__firewalld__zones__work_xml='<zone>\n<interface name="eth1"/>\n<port port="8081" protocol="udp"/>\n</zone>',
        etc__firewalld__zones__dmz_xml='<zone><source address="10.0.0.0/8"/><port port="8082" protocol="tcp"/></zone>',
        etc__firewalld__zones__public_xml='<zone><port port="8083" protocol="tcp"/></zone>',
    )
    found = ["dmz.xml:1 admitted 8082", "home.xml:2 admitted 8080", "work.xml:3 admitted 8081/udp"]
    assert looked("firewalld", tmp_path) == (found, ())


@pytest.mark.parametrize("conf", [None, "", "#DefaultZone=home\n"])
def test_the_default_zone_is_public(tmp_path: Path, conf: str | None) -> None:
    """So says firewalld.conf(5)."""
    if conf is not None:
        put(tmp_path, "etc/firewalld/firewalld.conf", conf)
    put(tmp_path, "usr/lib/firewalld/zones/public.xml", '<zone><port port="80" protocol="tcp"/></zone>')
    put(tmp_path, "usr/lib/firewalld/zones/home.xml", '<zone><port port="81" protocol="tcp"/></zone>')
    assert looked("firewalld", tmp_path) == (["public.xml:1 admitted 80"], ())


def test_etc_goes_before_usr(tmp_path: Path) -> None:
    """A zone, and a service, in /etc takes the place of the one that was shipped."""
    put(tmp_path, "usr/lib/firewalld/zones/public.xml", '<zone><port port="80" protocol="tcp"/></zone>')
    put(tmp_path, ZONE.format("public"), '<zone>\n<service name="shop"/>\n<service name="ssh"/>\n</zone>')
    put(tmp_path, "usr/lib/firewalld/services/shop.xml", '<service><port port="1" protocol="tcp"/></service>')
    put(tmp_path, SERVICE.format("shop"), '<service>\n\n<port port="9000-9001" protocol="tcp"/></service>')
    put(tmp_path, "usr/lib/firewalld/services/ssh.xml", '<service><port port="22" protocol="tcp"/></service>')
    found = ["public.xml:2 admitted 9000", "public.xml:2 admitted 9001", "public.xml:3 admitted 22"]
    assert looked("firewalld", tmp_path) == (found, ())


def test_a_service_has_what_it_includes(tmp_path: Path) -> None:
    """Included services count, also one that includes itself; source ports, protocols and unknown services do not."""
    put(tmp_path, ZONE.format("public"), '<zone>\n<service name="a"/>\n<service name="../a"/>\n</zone>')
    put(
        tmp_path,
        SERVICE.format("a"),
        '<service><port port="1" protocol="tcp"/><protocol value="gre"/><include service="b"/></service>',
    )
    put(tmp_path, SERVICE.format("b"),
        '<service><port port="2" protocol="udp"/><source-port port="3" protocol="tcp"/><port protocol="ah" port=""/>'
        '<include service="a"/><include service="c"/></service>')  # fmt: skip
    assert looked("firewalld", tmp_path) == (["public.xml:2 admitted 1", "public.xml:2 admitted 2/udp"], ())


def test_rich_rules_and_what_is_forwarded(tmp_path: Path) -> None:
    """A rule that accepts a service lets its ports in; one that rejects it does not."""
    put(tmp_path, SERVICE.format("shop"), '<service><port port="9000" protocol="tcp"/></service>')
    put(
        tmp_path,
        ZONE.format("public"),
        """<zone>
<rule family="ipv4"><source address="10.0.0.0/8"/><service name="shop"/><accept/></rule>
<rule><port port="23" protocol="tcp"/><reject/></rule>
<forward-port port="80" protocol="tcp" to-port="8080" to-addr="10.0.0.7"/>
</zone>""",
    )
    found = ["public.xml:2 admitted 9000", "public.xml:4 admitted 80", "public.xml:4 dialled 8080 on 10.0.0.7"]
    assert looked("firewalld", tmp_path) == (found, ())


@pytest.mark.parametrize(
    ("comes", "goes", "found"),
    [
        ("ANY", "HOST", ["out.xml:2 admitted 443"]),
        ("public", "HOST", ["out.xml:2 admitted 443"]),
        ("work", "HOST", []),
        ("HOST", "ANY", ["out.xml:2 dialled 443", "out.xml:3 dialled 25 on 198.51.100.0/24"]),
        ("HOST", "public", ["out.xml:2 dialled 443", "out.xml:3 dialled 25 on 198.51.100.0/24"]),
        ("HOST", "work", []),
        ("ANY", "public", []),
        ("public", "ANY", []),
    ],
)
def test_policies(tmp_path: Path, comes: str, goes: str, found: list[str]) -> None:
    """A policy counts that is to or from this machine, if a zone at its other side is active."""
    put(tmp_path, ZONE.format("public"), "<zone/>")
    put(tmp_path, ZONE.format("work"), "<zone/>")
    put(
        tmp_path,
        POLICY.format("out"),
        f"""<policy><ingress-zone name="{comes}"/><egress-zone name="{goes}"/>
<port port="443" protocol="tcp"/>
<rule><destination address="198.51.100.0/24"/><port port="{25 if comes == "HOST" else 443}" protocol="tcp"/>{
            "<accept/>" if comes == "HOST" else "<drop/>"
        }</rule>
</policy>""",
    )
    assert looked("firewalld", tmp_path) == (found, ())


def test_direct_rules_are_in_force(tmp_path: Path) -> None:
    """Whatever the zones are."""
    put(tmp_path, ZONE.format("public"), "<zone/>")
    put(tmp_path, "etc/firewalld/direct.xml",
        '<direct>\n<rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-p tcp --dport 9200 -j ACCEPT</rule>\n'
        '<rule ipv="ipv4" table="filter" chain="FORWARD" priority="0">-p tcp --dport 1 -j ACCEPT</rule>\n'
        "</direct>")  # fmt: skip
    assert looked("firewalld", tmp_path) == (["direct.xml:2 admitted 9200"], ())


def test_what_lets_everything_in_is_said(tmp_path: Path) -> None:
    """No list of all numbers is made of a target that accepts, as that of the zone trusted."""
    put(tmp_path, "etc/firewalld/firewalld.conf", "DefaultZone=trusted\n")
    put(tmp_path, ZONE.format("trusted"), '<zone\n target="ACCEPT">\n<port port="80" protocol="tcp"/></zone>')
    put(
        tmp_path,
        POLICY.format("out"),
        '<policy target="ACCEPT"><ingress-zone name="HOST"/><egress-zone name="ANY"/></policy>',
    )
    found, incomplete = looked("firewalld", tmp_path)
    assert found == ["trusted.xml:3 admitted 80"]
    assert [(one.what, one.why) for one in incomplete] == [
        (f"one record of {tmp_path / ZONE.format('trusted')}", "line 2: it lets in every port, and names none")
    ]


def test_a_zone_may_let_in_nearly_everything(tmp_path: Path) -> None:
    """All numbers of both protocols are read: a zone of workstations has them."""
    put(
        tmp_path,
        ZONE.format("public"),
        '<zone><port port="1025-65535" protocol="tcp"/><port port="1-65535" protocol="udp"/></zone>',
    )
    found, incomplete = looked("firewalld", tmp_path)
    assert (len(found), incomplete) == (64_511 + 65_535, ())


def test_what_is_damaged_or_missing_is_said(tmp_path: Path) -> None:
    """A file that is no XML is named with its line, and so is a default zone without a file; the rest is read."""
    put(tmp_path, "etc/firewalld/firewalld.conf", "DefaultZone=gone\n")
    put(tmp_path, ZONE.format("work"), '<zone>\n<interface name="a"/><port port="80" protocol="tcp"/>\n<port')
    found, incomplete = looked("firewalld", tmp_path)
    assert found == ["work.xml:2 admitted 80"]
    assert [one.why.partition(":")[0] for one in incomplete] == ["line 3", "its default zone, 'gone', has no file"]


def test_firewalld_is_not_installed(tmp_path: Path) -> None:
    """Nobody can say what a program lets in that is not there."""
    with pytest.raises(NotFound, match="firewalld is not installed"):
        in_force("firewalld", tmp_path)


@pytest.mark.parametrize("refused", ["firewalld.conf", "zones/public.xml", "policies/p.xml", "services/s.xml"])
def test_what_may_not_be_read_is_said(request: pytest.FixtureRequest, refused: str) -> None:
    """A refusal is never an answer."""
    request.getfixturevalue("unprivileged")
    with tempfile.TemporaryDirectory() as folder:  # of the user that the test is for now
        root = Path(folder)
        put(root, "etc/firewalld/firewalld.conf", "")
        put(root, ZONE.format("public"), '<zone><service name="s"/></zone>')
        put(root, POLICY.format("p"), "<policy/>")
        put(root, SERVICE.format("s"), "<service/>")
        (root / "etc/firewalld" / refused).chmod(0)
        _, incomplete = looked("firewalld", root)
    assert f"{root}/etc/firewalld/{refused}" in [one.what for one in incomplete]


def test_the_services_of_this_machine_have_their_numbers(tmp_path: Path) -> None:
    """What is resolved of each service that firewalld ships is what another parser of XML finds in it."""
    services = sorted((SHIPPED / "services").glob("*.xml"))
    if not services:
        pytest.skip("firewalld is not installed")
    shutil.copytree(SHIPPED, tmp_path / "usr/lib/firewalld")
    names = [path.stem for path in services]
    lines = "\n".join(f'<service name="{name}"/>' for name in names)
    put(tmp_path, ZONE.format("public"), f"<zone>\n{lines}\n</zone>")
    found, incomplete = looked("firewalld", tmp_path)
    assert incomplete == ()
    expected = {
        f"public.xml:{line} admitted {port}{'' if transport == 'tcp' else f'/{transport}'}"
        for line, name in enumerate(names, 2)
        for port, transport in _ports_of(name)
    }
    assert set(found) == expected
    assert len(names) > 200


def _ports_of(name: str) -> set[tuple[int, str]]:
    root = ET.parse(SHIPPED / "services" / f"{name}.xml").getroot()  # noqa: S314  # shipped by the distribution
    found: set[tuple[int, str]] = set()
    for port in root.findall("port"):
        first, _, last = port.get("port", "").partition("-")
        if first:
            found |= {(number, port.get("protocol", "")) for number in range(int(first), int(last or first) + 1)}
    for include in root.findall("include"):
        found |= _ports_of(include.get("service", ""))
    return found


@pytest.mark.root
def test_what_firewalld_itself_configured(tmp_path: Path) -> None:
    """firewall-offline-cmd writes a zone, a service, a policy and a direct rule; and these are in force."""
    own = tmp_path / "etc/firewalld"
    for kind in ("zones", "services", "policies", "ipsets", "icmptypes", "helpers"):
        (own / kind).mkdir(parents=True)
    for line in (
        "--set-default-zone=work",
        "--zone=work --remove-service-from-zone=dhcpv6-client",
        "--zone=work --add-port=8080/tcp",
        "--new-service=shop",
        "--service=shop --add-port=9000-9001/udp",
        "--zone=internal --add-interface=eth7",
        "--zone=internal --add-service=shop",
        "--zone=home --add-port=1/tcp",
        "--new-policy=out",
        "--policy=out --add-ingress-zone=HOST",
        "--policy=out --add-egress-zone=ANY",
        "--policy=out --add-port=587/tcp",
        "--direct --add-rule ipv4 filter INPUT 0 -p tcp --dport 9200 -j ACCEPT",
    ):
        if not (own / "firewalld.conf").exists() and Path("/etc/firewalld/firewalld.conf").exists():
            shutil.copy("/etc/firewalld/firewalld.conf", own)
        done = said_by("firewall-offline-cmd", f"--system-config={own}", *line.split())
        assert done.returncode == 0, f"{line}: {done.stderr}"
    shutil.copytree(SHIPPED, tmp_path / "usr/lib/firewalld")
    found, incomplete = looked("firewalld", tmp_path)
    assert incomplete == ()
    ports = sorted({row.partition(" ")[2] for row in found if not row.startswith("internal.xml")})
    assert ports == ["admitted 22", "admitted 8080", "admitted 9200", "dialled 587"]
    internal = {row.partition(" ")[2] for row in found if row.startswith("internal.xml")}
    assert {"admitted 22", "admitted 9000/udp", "admitted 9001/udp", "admitted 5353/udp"} <= internal


# ----------------------------------------------------------------------------------------------------------------- ufw

RULES = """*filter
:ufw{six}-user-input - [0:0]
-A ufw{six}-user-input -p tcp --dport {port} -j ACCEPT
-A ufw{six}-user-output -p tcp -d {to} --dport 587 -j ACCEPT
-A ufw{six}-user-forward -p tcp --dport 8080 -j ACCEPT
-A ufw{six}-user-input -p tcp --dport 23 -j DROP
COMMIT
"""
FOUR, SIX = RULES.format(six="", port=22, to="198.51.100.25"), RULES.format(six="6", port=2022, to="2001:db8::/64")


def make_ufw(root: Path, *, enabled: str = "yes", defaults: str = "") -> None:
    """Write the files of ufw."""
    put(root, "etc/ufw/ufw.conf", f"# ENABLED=no\nENABLED={enabled}\nLOGLEVEL=low\n")
    put(root, "etc/default/ufw", f'DEFAULT_INPUT_POLICY="DROP"\n{defaults}')
    put(root, "etc/ufw/user.rules", FOUR)
    put(root, "etc/ufw/user6.rules", SIX)
    put(
        root,
        "etc/ufw/before.rules",
        "*filter\n:ufw-before-input - [0:0]\n-A ufw-before-input -p udp --sport 67 --dport 68 -j ACCEPT\nCOMMIT\n",
    )


BEFORE = ["before.rules:3 admitted 68/udp"]
USER = ["user.rules:3 admitted 22", "user.rules:4 dialled 587 on 198.51.100.25"]
USER6 = ["user6.rules:3 admitted 2022", "user6.rules:4 dialled 587 on 2001:db8::/64"]


@pytest.mark.parametrize("enabled", ["yes", "YES", '"yes"', "yes # since May"])
def test_the_rules_of_ufw(tmp_path: Path, enabled: str) -> None:
    """Rules before those of the user, and his, of IPv4 and IPv6; what passes through the machine is not its own."""
    make_ufw(tmp_path, enabled=enabled)
    assert looked("ufw", tmp_path) == ([*BEFORE, *USER, *USER6], ())


def test_without_ipv6_its_rules_are_not_loaded(tmp_path: Path) -> None:
    """IPV6=no in /etc/default/ufw takes all of them out of force."""
    make_ufw(tmp_path, defaults="IPV6=no\n")
    assert looked("ufw", tmp_path) == ([*BEFORE, *USER], ())


def test_an_older_ufw_keeps_its_rules_with_the_program(tmp_path: Path) -> None:
    """The user's rules were in /lib/ufw once; where there are both, those in /etc count."""
    make_ufw(tmp_path)
    put(tmp_path, "lib/ufw/user.rules", FOUR.replace("22", "2222"))
    put(tmp_path, "lib/ufw/user6.rules", SIX)
    (tmp_path / "etc/ufw/user6.rules").unlink()
    assert looked("ufw", tmp_path) == ([*BEFORE, *USER, *USER6], ())


def test_an_input_policy_that_accepts_is_said(tmp_path: Path) -> None:
    """No list of all numbers is made of it."""
    make_ufw(tmp_path)
    put(tmp_path, "etc/default/ufw", 'IPV6=yes\nDEFAULT_INPUT_POLICY="ACCEPT"\n')
    found, incomplete = looked("ufw", tmp_path)
    assert found == [*BEFORE, *USER, *USER6]
    assert [one.why for one in incomplete] == ["line 2: it lets in every port, and names none"]


@pytest.mark.parametrize("enabled", ["no", "", "maybe"])
def test_a_ufw_that_does_not_start_has_nothing_in_force(tmp_path: Path, enabled: str) -> None:
    """Only ENABLED=yes makes it load its rules."""
    make_ufw(tmp_path, enabled=enabled)
    with pytest.raises(NotFound, match="ufw is not enabled"):
        in_force("ufw", tmp_path)


def test_ufw_is_not_installed(tmp_path: Path) -> None:
    """Nobody can say what a program lets in that is not there."""
    with pytest.raises(NotFound, match="ufw is not installed"):
        in_force("ufw", tmp_path)


@pytest.mark.parametrize("refused", ["etc/ufw/ufw.conf", "etc/default/ufw", "etc/ufw/user.rules"])
def test_rules_of_ufw_that_may_not_be_read_are_said(request: pytest.FixtureRequest, refused: str) -> None:
    """Debian lets only root read the rules."""
    request.getfixturevalue("unprivileged")
    with tempfile.TemporaryDirectory() as folder:  # of the user that the test is for now
        make_ufw(Path(folder))
        Path(folder, refused).chmod(0)
        _, incomplete = looked("ufw", Path(folder))
    assert [(one.what, one.why) for one in incomplete] == [(f"{folder}/{refused}", "Permission denied")]


@pytest.mark.root
def test_what_ufw_itself_has_in_force(tmp_path: Path) -> None:
    """In a copy of its files, ufw writes its rules and is enabled in a network namespace of its own."""
    shipped = Path("/usr/share/ufw/iptables")
    if not shipped.is_dir() or not shutil.which("ufw"):
        pytest.skip("ufw is not installed")
    shutil.copytree("/etc/ufw", tmp_path / "etc/ufw")
    shutil.copytree("/lib/ufw", tmp_path / "lib/ufw")
    shutil.copytree(shipped, tmp_path / "etc/ufw", dirs_exist_ok=True)
    put(tmp_path, "etc/ufw/ufw.conf", "ENABLED=no\nLOGLEVEL=low\n")
    put(tmp_path, "etc/default/ufw", Path("/etc/default/ufw").read_text("utf-8"))
    for line in (
        "allow 22/tcp",
        "limit 2222/tcp",
        "allow proto udp from 10.0.0.0/8 to any port 60000:60001",
        "allow 53",
        "deny 23/tcp",
        "allow out to 198.51.100.25 port 587 proto tcp",
        "route allow proto tcp to 10.0.0.5 port 8080",
        "--force enable",
    ):
        done = said_by("unshare", "--net", "ufw", f"--rootdir={tmp_path}", f"--datadir={tmp_path}", *line.split())
        assert done.returncode == 0, f"{line}: {done.stderr}"
    found, incomplete = looked("ufw", tmp_path)
    assert incomplete == ()
    assert sorted({row.partition(" ")[2] for row in found if row.startswith("user")}) == [
        "admitted 22",
        "admitted 2222",
        "admitted 53",
        "admitted 53/udp",
        "admitted 60000/udp",
        "admitted 60001/udp",
        "dialled 587 on 198.51.100.25",
    ]
    assert "admitted 68/udp" in {row.partition(" ")[2] for row in found if row.startswith("before")}
