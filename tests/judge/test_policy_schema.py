"""The schema of a policy for editors: it takes what the parser takes, as far as a schema can tell."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date, datetime, time, timedelta, timezone
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from portulan.errors import PolicyError
from portulan.judge.parsing import decode_policy, parse_policy
from portulan.judge.policy import Rule
from portulan.judge.rules import NOTES
from portulan.model import TRANSPORTS
from tests.judge.texts import toml_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import SearchStrategy

    Draw = Callable[[SearchStrategy[Any]], Any]

SCHEMA: dict[str, Any] = json.loads((files("portulan") / "schemas" / "policy-1.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
POLICIES = Path(__file__).parents[1] / "data" / "policies"

REFUSED = [
    path
    for path in sorted((POLICIES / "bad").glob("*.toml"))
    if not path.stem.startswith(("syntax-", "again-", "bytes-", "deep-", "expected"))
]
"""Malformed policies that are TOML."""

BEYOND_A_SCHEMA = {
    "a range from the larger number to the smaller": "it compares no numbers in a string",
    "a second time in this list": "80 and 80-80 are equal to the parser alone",
    "not a number with a fraction": "80.0 is an integer to JSON",
    "is no address, network or scope": "what looks like an address may be none",
    "is an address in a network": "it computes no network",
    "form of IPv6": "it knows no kinds of addresses",
    "unknown tag": "it looks nowhere else in a document",
    "unknown note": "a code of the form of a note may be none",
    "a date is expected, not a string": "JSON has no dates, and an editor takes those of TOML for strings",
    "a string is expected, not a date": "the other way round",
    "a date beyond the years 1 to 9999": "it does not know what date is the last",
}
"""What only the parser finds, by what it says, and why."""


def as_json(value: object) -> Any:  # noqa: ANN401  # JSON
    """Return a document of TOML as editors show it to a schema: dates and times are strings."""
    match value:
        case dict():
            return {key: as_json(inner) for key, inner in value.items()}
        case list():
            return [as_json(inner) for inner in value]
        case date() | time():
            return value.isoformat()
    return value


def unsaid(text: str) -> list[str]:
    """Return what the parser says of a text, without what no schema can say."""
    try:
        parse_policy(text, "ports.toml")
    except PolicyError as error:
        return [
            fault.message for fault in error.faults if not any(beyond in fault.message for beyond in BEYOND_A_SCHEMA)
        ]
    return []


def is_accepted(text: str) -> bool:
    """Tell whether the parser takes a text."""
    try:
        parse_policy(text, "ports.toml")
    except PolicyError:
        return False
    return True


strings = st.sampled_from(
    [
        *(
            "80",
            "80-90",
            "90-80",
            "0-65536",
            "080-90",
            "any",
            "loopback",
            "private",
            "public",
            "127.0.0.1",
            "1.2.3.4.5",
        ),
        *("10.0.0.0/8", "10.0.0.1/8", "10.0.0.0/33", "::1", "::ffff:10.0.0.1", "fd00::/8", "fe80::1%eth0", "mail"),
        *("mail.example.org", "-x", "a b", "bücher", "", "*", "nginx", "tcp", "udp", "icmp", "listen", "connect"),
        *("expect", "allow", "forbid", "alow", "PT301", "PT302", "PT399", "PT104", "office", "judged", "listed"),
        *("http://x", "https://example.org/a?b#c", "https://", "ftp://x", "2027-01-31", "2027-01-31T00:00:00Z"),
    ]
)
ports = st.integers(-1, 2) | st.integers(65534, 65537) | st.sampled_from([80, 80.0, True]) | strings
scalars = (
    ports | st.dates() | st.datetimes() | st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=30))))
)
values: Any = scalars | st.lists(scalars, max_size=3) | st.just({})


def sound(*words: object) -> Any:  # noqa: ANN401  # a strategy
    """Make a strategy of one or several of some words."""
    return st.sampled_from(words) | st.lists(st.sampled_from(words), min_size=1, max_size=3, unique=True)


SOUND: dict[str, Any] = {
    "effect": st.sampled_from(["expect", "allow", "forbid"]),
    "port": sound(0, 80, 65535, "80-90", "0-65535"),
    "transport": sound(*TRANSPORTS),
    "direction": st.sampled_from(["listen", "connect"]),
    "address": sound("any", "loopback", "127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "fe80::1%eth0"),
    "peer": sound("private", "192.0.2.1", "mail.example.org", "2001:db8::/32"),
    "note": sound("PT301", "PT302"),
    "tag": sound("office"),
    "expires": st.dates(max_value=date(9999, 12, 30)) | st.just(datetime.fromisoformat("2027-01-31T00:00:00Z")),
    "citation": st.sampled_from(["http://x", "https://example.org/a?b#c"]),
    "reason": st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=4),
    "owner": st.just(""),
}
"""Values that a key can have; the others have patterns."""


@st.composite
def rules(draw: Draw) -> dict[str, Any]:
    """Draw a rule of a few keys, which is often sound."""
    keys = draw(st.lists(st.sampled_from(Rule._fields[1:-2]), max_size=4, unique=True))
    rule = {key: draw(SOUND.get(key, sound("*", "nginx"))) for key in ["effect", *keys]}
    if "peer" in rule and draw(st.booleans()):
        rule["direction"] = "connect"
    if "note" in rule and draw(st.booleans()):
        rule["effect"] = "forbid"
    for key in draw(st.lists(st.sampled_from([*rule, "prot", "line"]), max_size=1)):
        rule[key] = draw(values)
    return rule


documents = st.fixed_dictionaries(
    {"rule": st.lists(rules(), min_size=1, max_size=3)},
    optional={"tags": st.just({"office": "pc-*", "shop": ["a", "b"]}), "policy": st.just({"connections": "listed"})},
) | st.fixed_dictionaries(
    {},
    optional={
        "policy": st.dictionaries(st.sampled_from(["connections", "connection"]), strings, max_size=1) | scalars,
        "tags": st.dictionaries(st.sampled_from(["office", "shop", ""]), values, max_size=2) | scalars,
        "rule": st.lists(rules() | scalars, max_size=2) | scalars,
        "rules": values,
        "port": values,
    },
)


@settings(max_examples=300)
@given(toml_texts(documents))
def test_the_schema_and_the_parser_agree(text: str) -> None:
    """What the parser takes the schema takes; what it refuses the schema refuses, unless no schema can."""
    errors = [error.message[:200] for error in VALIDATOR.iter_errors(as_json(tomllib.loads(text)))]
    if is_accepted(text):
        assert not errors
    elif unsaid(text):
        assert errors


@pytest.mark.parametrize("path", sorted((POLICIES / "good").glob("*.toml")), ids=lambda path: path.stem)
def test_the_schema_takes_the_good_policies(path: Path) -> None:
    """Each policy that shows what can be written is valid."""
    VALIDATOR.validate(as_json(tomllib.loads(path.read_bytes().decode("utf-8-sig"))))


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_the_schema_refuses_the_bad_policies(path: Path) -> None:
    """Each malformed policy that is TOML is invalid, unless no schema can say why."""
    text = path.read_text("utf-8")
    if unsaid(text):
        assert not VALIDATOR.is_valid(as_json(tomllib.loads(text)))


def test_what_is_beyond_a_schema_is_said() -> None:
    """Each exception is something that the parser says of a policy of the corpus that the schema takes, or may take."""
    said = "\n".join(
        fault["says"]
        for expected in tomllib.loads((POLICIES / "bad" / "expected.toml").read_text("utf-8")).values()
        for fault in expected["faults"]
    )
    for message in BEYOND_A_SCHEMA:
        assert message in said


def described(schema: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all properties that a schema describes."""
    if isinstance(schema, dict):
        if "additionalProperties" in schema:
            yield from schema.get("properties", {}).items()
        for value in schema.values():
            yield from described(value)


def test_an_editor_can_show_what_each_key_means() -> None:
    """Each key has one sentence of its own that describes it, beside no reference that would hide it."""
    for key, schema in described(SCHEMA):
        assert re.fullmatch(r"[A-Z].*[^.]\.", schema["description"]), key
        assert schema["description"].count(". ") == 0, key
        assert "$ref" not in schema, key


def test_the_schema_has_the_keys_and_words_of_the_model() -> None:
    """The keys of a rule are those of the model in their order; transports and the form of notes are, too."""
    defined = SCHEMA["$defs"]
    assert list(defined["rule"]["properties"]) == list(Rule._fields[:-2])
    assert defined["transport"]["enum"] == list(TRANSPORTS)
    assert all(re.search(defined["note"]["pattern"], code) for code in NOTES)


def test_a_policy_of_windows_is_read_by_both() -> None:
    """A byte order mark is the parser's business: the schema sees the document."""
    data = (POLICIES / "good" / "windows.toml").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert len(decode_policy(data, "ports.toml").rules) == 2
