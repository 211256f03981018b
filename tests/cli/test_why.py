"""`portulan why`: the chain of a verdict on a real socket, with a policy and without, and the pages of the rules."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from portulan.judge.parsing import parse_policy
from portulan.judge.rules import FINDINGS, NOTES, RULES
from tests.cli.door import environment, holder, on_terminal, portulan
from tests.test_schemas import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYTHON = os.path.realpath(sys.executable)
LINKS = ("What was seen", "What the map says", "What the policy says", "What decided", "What would change it")


@pytest.fixture
def held() -> Iterator[int]:
    """Hold a port that nobody registered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def why(*words: str, policy: Path | None = None) -> tuple[int, str, str]:
    """Ask why, with that policy or with none."""
    env = environment(PORTULAN_POLICY=str(policy) if policy else None, XDG_CONFIG_HOME="/nonexistent")
    done = portulan("why", *words, env=env)
    return done.returncode, done.stdout, done.stderr


def document(*words: str, policy: Path | None = None) -> dict[str, Any]:
    """Ask as JSON, which is what the schema says."""
    found: dict[str, Any] = json.loads(why(*words, "--json", policy=policy)[1])
    check("why-1.json", found)
    return found


def test_a_verdict_is_told_as_a_chain(held: int) -> None:
    """Who holds it, what the map and the policy say, what decided and what would change it, each with its source."""
    code, text, _ = why(str(held))
    places = [text.index(f". {link}\n") for link in LINKS]
    assert places == sorted(places)
    assert f"127.0.0.1:{held} (listen) [sock_diag]" in text
    assert f"(pid {os.getpid()}), {PYTHON}" in " ".join(text.split())
    assert "no policy: portulan learn writes one" in text
    assert code in {0, 3}


def test_the_rule_that_it_offers_makes_it_so(held: int, tmp_path: Path) -> None:
    """The rule to paste is read as it stands, and under it the socket is expected; under the other it is forbidden."""
    (result,) = document(str(held))["results"]
    (chain,) = result["chains"]
    policy = tmp_path / "ports.toml"
    for toml, judgement, code in ((chain["expecting_toml"], "expected", 0), (chain["forbidding_toml"], "forbidden", 1)):
        policy.write_text(toml, "utf-8")
        assert len(parse_policy(toml, "p").rules) == 1
        (result,) = document(str(held), policy=policy)["results"]
        assert result["chains"][0]["verdict"]["judgement"] == judgement
        assert result["chains"][0]["without_policy"] == chain["verdict"]["rule"]
        assert result["chains"][0]["bearings"][0]["decides"]
        assert why(str(held), policy=policy)[0] in {code, 3 if code == 0 else code}


def test_the_policy_says_which_rule_decides_and_which_come_near(held: int, tmp_path: Path) -> None:
    """Each rule about the number is told with what it has to do with the socket."""
    policy = tmp_path / "ports.toml"
    rule = '[[rule]]\neffect = "{}"\nport = {}\n{}\n'
    texts = [
        rule.format("expect", held, 'executable = "/usr/sbin/nginx"'),
        rule.format("allow", held, "expires = 2020-02-29"),
        rule.format("allow", held, 'address = "loopback"'),
        rule.format("forbid", held, ""),
    ]
    policy.write_text("".join(texts), "utf-8")
    text = " ".join(why(str(held), policy=policy)[1].split())
    assert f"{policy}:9 allows it (address loopback): decides" in text
    assert f"{policy}:1 expects it (executable /usr/sbin/nginx): not this socket, by executable" in text
    assert f"{policy}:5 allows it: has expired" in text
    assert f"{policy}:13 forbids it: comes too late, the first rule decides" in text


def test_of_a_free_port_it_tells_who_would_be_expected() -> None:
    """Where nobody is: the products that the map connects with the number, and what anybody else would be."""
    found = document("2528/tcp")["results"][0]
    if found["chains"]:
        pytest.skip("something on this machine uses 2528")
    (dialling,) = [one for one in found["expectations"] if one["direction"] == "connect"]
    holders = {one["product"]: (one["judgement"], one["rule"]) for one in dialling["holders"]}
    assert holders == {"3CX Phone System": ("known-unofficial", "PT103"), None: ("unexplained", "PT104")}
    assert "anything else: investigate: unexplained (PT104)" in why("2528/tcp")[1]


def test_evidence_has_its_source_and_its_age(held: int) -> None:
    """What was seen says when, and the map how old it is."""
    text = " ".join(why(str(held))[1].split())
    assert re.search(rf"\[/proc/{os.getpid()}/exe, seen \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\]", text)
    assert re.search(r"\[iana:\d{4}-\d\d, (\d+ months old|of (last|this) month)\]", text)


def test_sockets_that_are_alike_share_a_chain() -> None:
    """A program's listeners on both addresses of loopback and what they serve are one chain; who dials is another."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = first.getsockname()[1]
        try:
            stack.enter_context(socket.create_server(("::1", port), family=socket.AF_INET6))
        except OSError:
            pytest.skip("there is no IPv6 here")
        stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        stack.enter_context(first.accept()[0])
        (result,) = document(f"{port}/tcp")["results"]
    counted = {chain["seen"][0]["what"]: chain["count"] for chain in result["chains"]}
    assert counted == {"holds": 3, "dials": 1}
    (held,) = [chain for chain in result["chains"] if chain["seen"][0]["what"] == "holds"]
    facts = {fact["what"]: fact["value"] for fact in held["seen"]}
    assert facts["holds"] in {
        f"tcp 127.0.0.1:{port}, [::1]:{port} (listen)",
        f"tcp [::1]:{port}, 127.0.0.1:{port} (listen)",
    }
    assert facts["serves"] == "1 connection"
    assert all(fact["source"] for fact in held["seen"])


def test_what_a_policy_lets_be_on_loopback_is_told_of_what_others_reach(tmp_path: Path) -> None:
    """Where a rule is for loopback, that address is what would change the verdict on a wider one, and it does."""
    policy = tmp_path / "ports.toml"
    for address, expected in (("0.0.0.0", False), ("127.0.0.1", True)):
        with socket.create_server((address, 0)) as server:
            port = server.getsockname()[1]
            policy.write_text(f'[[rule]]\neffect = "allow"\nport = {port}\naddress = "loopback"\n', "utf-8")
            (result,) = document(str(port), policy=policy)["results"]
        (chain,) = result["chains"]
        promised = [change["judgement"] for change in chain["changes"] if change["fact"] == "address"]
        assert promised == ([] if expected else ["expected"])
        assert (chain["verdict"]["judgement"] == "expected") is expected
        assert chain["bearings"][0]["failing"] == ([] if expected else ["address"])


def test_a_rule_to_paste_goes_before_the_one_that_decides(held: int, tmp_path: Path) -> None:
    """The first rule decides: one that is to change it has to stand before, which is said, and is so."""
    policy = tmp_path / "ports.toml"
    (plain,) = document(str(held))["results"]
    for now, other, title, judgement in (
        ("forbidding_toml", "expecting_toml", "To let it be", "expected"),
        ("expecting_toml", "forbidding_toml", "To forbid it", "forbidden"),
    ):
        policy.write_text("# the policy\n" + plain["chains"][0][now], "utf-8")
        text = why(str(held), policy=policy)[1]
        assert f"{title}, a rule in {policy} before line 2:" in text
        assert text.count("a rule in ") == 1  # none for what is so already
        policy.write_text(plain["chains"][0][other] + plain["chains"][0][now], "utf-8")
        (result,) = document(str(held), policy=policy)["results"]
        assert result["chains"][0]["verdict"]["judgement"] == judgement


def test_nothing_hostile_is_shown(tmp_path: Path) -> None:
    """Names and paths of programs harm no terminal, and a rule to paste with them is read as it stands."""
    program = bytes(tmp_path) + b"/\x1b[2J\x1b]0;owned\x07\n[[rule]]\n\xe2\x80\xae evil"
    with holder(program, called=b"evil --password=hunter2") as port:
        text = why(str(port))[1]
        (result,) = document(str(port))["results"]
        shown = on_terminal("why", str(port), columns=60, env=environment(NO_COLOR="1"))
    for said in (text, shown):
        assert all(letter.isprintable() or letter == "\n" for letter in said)
        assert "evil" in said
        assert "hunter2" not in said
        assert "\n[[rule]]\n" not in said
    (chain,) = result["chains"]
    (rule,) = parse_policy(chain["expecting_toml"], "p").rules
    assert rule.executable[0].endswith("evil")
    assert chain["verdict"]["subject"]["processes"][0]["command_line"] is None


def test_a_service_without_a_port_is_said_to_have_none() -> None:
    """There is nothing to explain of a name that has no number."""
    assert why("jmap") == (0, "jmap has no port\n", "")
    assert document("jmap")["results"] == []


@pytest.mark.parametrize("code", sorted({**RULES, **NOTES, **FINDINGS}))
def test_every_rule_has_its_page_at_the_door(code: str) -> None:
    """The page of each code is printed whole, and as a document."""
    exit_code, text, _ = why(code.lower())
    assert exit_code == 0
    assert text.startswith(f"{code}: ")
    for heading in ("What it finds", "Why it matters", "Example", "What to do", "References"):
        assert f"\n{heading}\n" in text
    check("rule-1.json", json.loads(why(code, "--json")[1]))


def test_without_a_word_it_lists_the_rules() -> None:
    """Every code is a row, with its name and attention."""
    _, text, _ = why()
    assert [line.split("\t")[0] for line in text.splitlines()] == sorted({**RULES, **NOTES, **FINDINGS})
    check("rules-1.json", json.loads(why("--json")[1]))


@pytest.mark.parametrize(
    ("words", "code"),
    [(("70000",), 2), (("no-such-name",), 1), (("PT999",), 1), (("80", "--policy", "/nonexistent"), 2)],
)
def test_what_is_not_there_is_an_error(words: tuple[str, ...], code: int) -> None:
    """A number that is none, a name and a rule that are not there, and a policy that cannot be read."""
    found, text, error = why(*words)
    assert (found, text) == (code, "")
    assert error.startswith("error: ")
    assert "\nhint: " in error
