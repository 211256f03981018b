"""Parsing: what a `ports.toml` says, and all that is wrong with it, each with its place."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portulan.errors import PolicyError
from portulan.judge import parsing
from portulan.judge.learning import render_rule
from portulan.judge.parsing import decode_policy, parse_policy
from portulan.judge.policy import Policy, Rule, Tag
from portulan.judge.positions import plain
from portulan.judge.syntax import LARGEST_BYTES
from portulan.model import TRANSPORTS, PortRange, replace
from tests.judge.texts import toml_texts

if TYPE_CHECKING:
    from portulan.errors import Fault

POLICIES = Path(__file__).parents[1] / "data" / "policies"
BAD = sorted(path.stem for path in (POLICIES / "bad").glob("*.toml") if path.stem != "expected")
GOOD = sorted((POLICIES / "good").glob("*.toml"))
EXPECTED: dict[str, Any] = tomllib.loads((POLICIES / "bad" / "expected.toml").read_text("utf-8"))


def faults_of(text: str | bytes) -> tuple[Fault, ...]:
    """Return what is wrong with a policy."""
    try:
        decode_policy(text, "ports.toml") if isinstance(text, bytes) else parse_policy(text, "ports.toml")
    except PolicyError as error:
        return error.faults
    return ()


# ------------------------------------------------------------------------------------------------------ what is wrong


def test_each_malformed_policy_is_told_of() -> None:
    """Each file of the corpus has its faults beside it, and there are files of every kind."""
    assert set(BAD) == EXPECTED.keys()
    assert len(BAD) > 100


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_policy(name: str) -> None:
    """All faults are told in the order of the file, each with line, column, the text there and what is wrong."""
    faults = faults_of((POLICIES / "bad" / f"{name}.toml").read_bytes())
    assert [(f"{fault.line}:{fault.column}", fault.text) for fault in faults] == [
        (fault["at"], fault["text"]) for fault in EXPECTED[name]["faults"]
    ]
    for fault, expected in zip(faults, EXPECTED[name]["faults"], strict=True):
        assert expected["says"] in fault.message


def test_an_error_says_where_its_first_fault_is() -> None:
    """The message of the error is that of the first fault behind its place, and so is the hint."""
    with pytest.raises(PolicyError, match="from the larger number to the smaller") as caught:
        parse_policy('[[rule]]\nport = "9-8"\neffect = "alow"\n', "etc/ports.toml")
    assert caught.value.message == "etc/ports.toml:2:8: a range from the larger number to the smaller"
    assert caught.value.hint == '"8-9"'
    assert caught.value.file == "etc/ports.toml"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('[[rule]]\nprot = 80\neffect = "allow"', 'is "port" meant?'),
        ("[[rule]]\nport = 80\neffect = allow", 'text and ranges stand in quotes: "allow"'),
        ('[[rule]]\nport = 8000-8010\neffect = "allow"', 'text and ranges stand in quotes: "8000-8010"'),
        ("expires = 2027-1-31", "a date has four, two and two digits: 2027-01-31"),
        ("port = 080", "a number begins with no 0"),
        ("port = 80\nport = 81", "it is there from line 1 on"),
        ('unit = "a', "the string that begins at line 1, column 8 is not closed"),
        ('rule = [{port = 80,\n effect = "allow"}]', "an inline table stands on one line, without a comma at its end"),
        ("port: 80", "a key and its value: port = 80"),
        ('unit = "a\\b\\c"', r"a backslash is written \\; in single quotes it stands for itself: 'C:\Program Files\*'"),
        ('[[rule]]\naddress = "10.0.0.1/8"\neffect = "allow"', 'the network is "10.0.0.0/8", the address "10.0.0.1"'),
        ('[[rule]]\naddress = "*"\neffect = "allow"', 'the scope is "any"'),
        ('[[rule]]\nport = "80"\neffect = "allow"', "a number has no quotes: 80"),
        ('[[rule]]\nport = 80\ntag = "x"\neffect = "allow"', "tags stand below [tags]"),
        ('port = 80\neffect = "allow"', "a rule begins with [[rule]]"),
    ],
)
def test_a_hint_says_what_to_do(text: str, hint: str) -> None:
    """What is usually meant by a fault is told with it."""
    assert faults_of(text)[0].hint == hint


def test_a_file_that_is_no_policy_is_refused_by_its_size() -> None:
    """A file beyond the limit is not read, and its first place is told; one that is as large as it may be is read."""
    (fault,) = faults_of(b"#" * (LARGEST_BYTES + 1))
    assert (fault.line, fault.column) == (1, 1)
    assert fault.message == f"a file of more than {LARGEST_BYTES:,} bytes is no policy"
    assert not faults_of(b"#" * LARGEST_BYTES)


def test_a_key_of_very_many_parts_is_not_read() -> None:
    """A dotted key of a hundred thousand parts, which tomllib would take minutes for, is refused for its depth."""
    (fault,) = faults_of(b"a." * 100_000 + b"a = 1")
    assert fault.message == "nested deeper than 100"


def test_many_dots_that_are_no_key_are_none() -> None:
    """A line may have as many dots as it likes outside of keys."""
    hosts = ", ".join(f'"a.b.c.d.{number}"' for number in range(200))
    assert not faults_of(f'[[rule]]\nhost = [{hosts}]\neffect = "allow" # {"a." * 200}\n')


WORDS = sorted(
    {*Rule._fields, "rule", "policy", "connections", "tags", "expect", "forbid", "listen", "loopback", "PT301"}
)
documents = st.recursive(
    st.sampled_from([*WORDS, 80, -1, 70000, True, 1.5, "", "8000-8010", "10.0.0.1/8", "*"])
    | st.dates()
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=10,
)
policies = st.fixed_dictionaries(
    {},
    optional={
        "policy": documents,
        "tags": documents,
        "rule": documents | st.lists(st.dictionaries(st.sampled_from(WORDS), documents), min_size=1, max_size=3),
        "port": documents,
    },
)


@settings(max_examples=200)
@given(
    st.text()
    | st.text(st.sampled_from("[]{}\"'#=,.\\\n\r\t ar1-\ufeff\x00"))
    | toml_texts(policies)
    | st.tuples(toml_texts(policies), st.integers(0), st.text(max_size=3)).map(
        lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + 1 :]
    )
)
@example('"""')
@example("a = '''")
@example("\ufeff\r\n\r")
@example("[a\n")
@example('a = "\\')
@example('a = """\\ b')
def test_any_text_is_a_policy_or_has_faults_in_it(text: str) -> None:
    """No text raises anything but a PolicyError, and each of its faults lies in the text, in order."""
    faults = faults_of(text)
    lines = plain(text).split("\n")
    for fault in faults:
        rest = lines[fault.line - 1][fault.column - 1 :]
        assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1
        assert rest.startswith(fault.text.removesuffix("..."))
    assert [(fault.line, fault.column) for fault in faults] == sorted((fault.line, fault.column) for fault in faults)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-16")) | st.text().map(lambda text: text.encode()))
def test_any_bytes_are_a_policy_or_have_faults_in_them(data: bytes) -> None:
    """No bytes raise anything but a PolicyError, and each fault lies on one of their lines."""
    for fault in faults_of(data):
        assert 1 <= fault.line <= data.count(b"\n") + 1
        assert fault.column >= 1


# ------------------------------------------------------------------------------------------------------ what is meant


@pytest.mark.parametrize("path", GOOD, ids=[path.stem for path in GOOD])
def test_a_policy_says_what_its_document_says(path: Path) -> None:
    """Each rule has the keys of its table, everything else by default, and begins where it is written."""
    document = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    policy = decode_policy(path.read_bytes(), path.name)
    lines = path.read_bytes().decode("utf-8-sig").splitlines()
    assert policy.file == path.name
    assert policy.connections == document.get("policy", {}).get("connections", "judged")
    assert [tag.name for tag in policy.tags] == list(document.get("tags", {}))
    assert len(policy.rules) == len(document.get("rule", []))
    for rule, table in zip(policy.rules, document.get("rule", []), strict=True):
        for key in Rule._fields[:-2]:
            assert (getattr(rule, key) != Rule(effect="allow")._defaults.get(key)) == (
                key in table and table[key] != "listen"
            )
        assert lines[rule.line - 1][rule.column - 1 :].startswith(("[[rule]]", '[[ "rule" ]]', "{ port"))


def test_the_good_policies_use_every_key() -> None:
    """What can be written is written in one of them."""
    used = {
        key for path in GOOD for rule in tomllib.loads(plain(path.read_text("utf-8"))).get("rule", []) for key in rule
    }
    assert used == set(Rule._fields) - {"line", "column"}


def test_a_rule_has_the_fields_of_the_model() -> None:
    """Each field of a rule but its place is a key, and there is no other."""
    assert {*parsing._KEYS, "tag"} == set(Rule._fields) - {"line", "column"}


def test_the_case_of_2528() -> None:
    """3CX dials 2528 to send mail: one rule, with every kind of value."""
    policy = decode_policy((POLICIES / "good" / "telephone-system.toml").read_bytes(), "ports.toml")
    dialled = (PortRange(2528, 2528),)
    assert policy == Policy(
        "ports.toml",
        (
            Rule(
                effect="allow",
                port=dialled,
                direction="connect",
                executable=("/usr/lib/3cxpbx/*",),
                package=("3cxpbx",),
                peer=("loopback", "mail.example.org", "192.0.2.0/24", "2001:db8::25"),
                protocol=("smtp",),
                reason="notification e-mail through the SMTP service of 3CX",
                owner="telephony",
                citation="https://www.3cx.com/docs/ports/",
                line=3,
            ),
            Rule(effect="forbid", port=dialled, direction="connect", line=15),
        ),
    )


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
lists = st.lists(texts, max_size=3, unique=True).map(tuple)
ranges = st.lists(
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda ends: PortRange(min(ends), max(ends))),
    min_size=1,
    max_size=3,
    unique=True,
)
rules = st.builds(
    Rule,
    effect=st.sampled_from(["expect", "allow", "forbid"]),
    port=ranges.map(tuple),
    transport=st.lists(st.sampled_from(TRANSPORTS), unique=True).map(tuple),
    direction=st.sampled_from(["listen", "connect"]),
    address=st.lists(st.sampled_from(["any", "127.0.0.1", "fd00::/8"]), unique=True).map(tuple),
    **dict.fromkeys(("executable", "script", "name", "package", "unit", "image", "user", "protocol", "host"), lists),
    reason=st.none() | texts,
    owner=st.none() | texts,
    expires=st.none()
    | st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)),  # noqa: DTZ001  # the zone comes beside it
)


@given(st.lists(rules, max_size=3))
def test_what_learning_writes_is_read_as_it_was_meant(written: list[Rule]) -> None:
    """Any rules written as TOML are the same rules when they are read, whatever their texts hold."""
    policy = parse_policy("\n".join([render_rule(rule) for rule in written]), "p")
    assert [replace(rule, line=1) for rule in policy.rules] == written


def test_tags_and_settings() -> None:
    """Tags are patterns of hosts, one or several; the settings are the policy's."""
    policy = parse_policy('policy.connections = "listed"\n[tags]\na = "x*"\n"b c" = ["y", "z"]\n', "p")
    assert policy == Policy("p", (), (Tag("a", ("x*",)), Tag("b c", ("y", "z"))), "listed")


@pytest.mark.parametrize(
    ("written", "ports"),
    [
        ("0", [(0, 0)]),
        ("0xFFFF", [(65535, 65535)]),
        ('"0-65535"', [(0, 65535)]),
        ('"80-80"', [(80, 80)]),
        ('[443, "80-90", 85]', [(443, 443), (80, 90), (85, 85)]),
    ],
)
def test_ports(written: str, ports: list[tuple[int, int]]) -> None:
    """Numbers and ranges are kept in their order, also where they overlap."""
    (rule,) = parse_policy(f'[[rule]]\nport = {written}\neffect = "allow"', "p").rules
    assert rule.port == tuple(PortRange(*ends) for ends in ports)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2027-01-31", datetime(2027, 2, 1, tzinfo=UTC)),
        ("2028-02-28", datetime(2028, 2, 29, tzinfo=UTC)),
        ("2027-01-31T00:30:00+01:00", datetime(2027, 1, 30, 23, 30, tzinfo=UTC)),
        ("2027-01-31 12:00:00.5Z", datetime(2027, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_expiry(written: str, moment: datetime) -> None:
    """A rule works through the end of a day in UTC, or until the moment that is given."""
    (rule,) = parse_policy(f'[[rule]]\nport = 80\neffect = "allow"\nexpires = {written}', "p").rules
    assert rule.expires == moment
    assert rule.expires.tzinfo is UTC


@pytest.mark.parametrize(
    "address", ["loopback", "any", "127.0.0.1", "::", "fe80::1%eth0", "10.0.0.0/8", "0.0.0.0/0", "::/0"]
)
def test_addresses_are_kept_as_they_are_written(address: str) -> None:
    """Scopes, addresses and networks, of a listener as of a peer."""
    (rule,) = parse_policy(
        f'[[rule]]\ndirection = "connect"\naddress = "{address}"\npeer = "{address}"\neffect = "allow"', "p"
    ).rules
    assert rule.address == rule.peer == (address,)


def test_a_rule_that_never_matches_is_no_fault() -> None:
    """Order is the author's: a rule below one that matches everything that it does is read like any other."""
    text = '[[rule]]\nport = "0-65535"\neffect = "allow"\n' + '[[rule]]\nport = 80\neffect = "forbid"\n' * 2
    assert [rule.line for rule in parse_policy(text, "p").rules] == [1, 4, 7]
