"""`portulan registry draft`: what is pasted stands on standard output, what would become of it on standard error."""

from __future__ import annotations

import json

import pytest

from portulan.cli.draft import COLUMNS
from tests.cli.door import environment, portulan
from tests.test_schemas import check

SOUND = (
    *("registry", "draft", "shopd", "--transport", "tcp", "--port", "user"),
    *("--assignee", "Example Shops Inc. <ports@shops.example>", "--contact", "Ada Example <ada@shops.example>"),
    *("--description", "Inventory of shops", "--reference", "https://shops.example/spec; no multicast"),
    *("--answer", "dynamic=Shops find each other by address alone."),
)


def test_a_sound_application_is_text_to_paste() -> None:
    """Each field is a label and its value; nothing speaks against it, and how IANA decides is said."""
    done = portulan(*SOUND)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "Service Name:             shopd" in lines
    assert "Transport Protocol(s):    TCP" in lines
    assert "Contact:                  Ada Example <ada@shops.example>" in lines
    assert "Port Number:              any of the User Ports" in lines
    assert "    Shops find each other by address alone." in lines
    assert max(map(len, lines)) <= COLUMNS
    assert not [line for line in lines if line != line.rstrip()]
    assert "decided by Expert Review" in done.stderr
    assert "hint: " not in done.stderr


def test_what_is_missing_says_what_to_write() -> None:
    """A field or an answer that is missing stands in angle brackets; that alone is no reason to refuse a draft."""
    done = portulan("registry", "draft", "shopd")
    assert done.returncode == 0
    assert "Assignee:                 <the organization, company or person" in done.stdout
    assert "    <--answer versions=TEXT>" in done.stdout
    assert done.stderr.startswith("fields to be written: 5, questions to be answered: 5; decided by First Come")


def test_what_would_be_refused_is_exit_code_1() -> None:
    """A finding is a line with its field and source, and a hint; what it would be refused for comes first."""
    done = portulan("registry", "draft", "ncr_ccl", "--port", "2528", "--description", "NCR CCL protocol")
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert said[0].startswith("refused: Service Name: the name has other characters")
    assert said[0].endswith("(RFC 6335, section 5.1)")
    assert said[1] == "hint: ncr-ccl would be well-formed, but is assigned"
    assert "the name is assigned: ncr-ccl, 2528/tcp, 2528/udp" in done.stderr
    assert [line for line in said if line.startswith("advised: Description: ")]
    assert said[-1].startswith("not to be used in public before it is assigned")
    outcomes = [line.partition(":")[0] for line in said if line.startswith(("refused:", "asked:", "advised:"))]
    assert outcomes == sorted(outcomes, key=("refused", "asked", "advised").index)


@pytest.mark.parametrize("words", [(), ("--transport", "dccp", "--code", "0x0", "--port", "system")])
def test_json_is_what_its_schema_says(words: tuple[str, ...]) -> None:
    """The document has fields, questions and findings, nothing is beside it, and the exit code is that of the text."""
    done = portulan(*SOUND, *words, "--json")
    document = json.loads(done.stdout)
    check("registry-draft-1.json", document)
    assert done.stderr == ""
    assert done.returncode == (1 if words else 0)
    assert document["schema"] == "portulan.registry-draft/1"
    assert {lint["outcome"] for lint in document["lints"]} == ({"refused", "asked"} if words else set())
    assert [field["value"] for field in document["fields"]][:2] == ["shopd", "TCP, DCCP" if words else "TCP"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "required: NAME"),
        (("shopd", "--port", "65536"), "'65536' is not a port number"),
        (("shopd", "--port", "\u0661\u0662"), "is not a port number"),
        (("shopd", "--port", "dynamic"), "'dynamic' is not a port number"),
        (("shopd", "--transport", "quic"), "invalid choice: 'quic'"),
        (("shopd", "--code", "4294967296"), "'4294967296' is not a service code"),
        (("shopd", "--code", "shop"), "'shop' is not a service code"),
        (("shopd", "--answer", "why=so"), "'why=so' answers no question"),
        (("shopd", "--answer", "dynamic"), "'dynamic' answers no question"),
        (("shopd", "--format", "csv"), "no csv"),
        (("shopd", "and", "more"), "unrecognized arguments"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_input_is_exit_code_2(words: tuple[str, ...], said: str) -> None:
    """What is no port, transport, code, question or format is an error with a hint, and nothing is drafted."""
    done = portulan("registry", "draft", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "\nhint: " in done.stderr


def test_hostile_words_do_not_reach_the_terminal() -> None:
    """Control characters in a name or a field are escaped, wherever they are shown; a field may have several lines."""
    done = portulan("registry", "draft", "a\x1b[31m", "--notes", "one\ntwo\x1b]0;x\x07", "--assignee", b"\xff\x9b0m")
    assert done.returncode == 1
    shown = (done.stdout + done.stderr).replace("\n", "")
    assert shown.isprintable()
    assert "Assignment Notes:         one\n                          two\\x1b]0;x\\x07\n" in done.stdout


def test_a_narrow_or_coloured_terminal_changes_nothing() -> None:
    """The text is for pasting: it has its own width and no colour."""
    assert portulan(*SOUND, env=environment(COLUMNS="40", FORCE_COLOR="1")).stdout == portulan(*SOUND).stdout


def test_its_help_names_what_it_has() -> None:
    """A draft is text or JSON, and its help names no other format."""
    said = portulan("registry", "draft", "--help").stdout
    assert "--format text|json\n" in said
    assert "csv" not in said
    assert "text|json|jsonl|csv" in portulan("registry", "diff", "--help").stdout
