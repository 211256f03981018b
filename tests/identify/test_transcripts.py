"""Every recogniser against every transcript: each names its own, and nobody names anybody else's."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.identify.answers import Answer
from portulan.identify.deciding import decide
from portulan.identify.protocols import probes, recognise, recognisers
from portulan.model import replace
from tests.identify.transcripts import answers_of, transcripts

if TYPE_CHECKING:
    from portulan.model import Transport

RECORDED = transcripts()
LARGE = {"nrpe-2": 1_036, "quic": 1_200, "rtmp": 1_537}
"""Probes whose size is the protocol's: NRPE's packet of version 2; RFC 9000, section 14.1; RTMP 1.0, section 5.2."""
PROBE_NAMES = ["", "tls", *probes()]


@cache
def special_cases() -> dict[str, set[str]]:
    """Return of each protocol those that it is a special case of, as the recognisers say."""
    found: dict[str, set[str]] = {}
    for _, transcript in RECORDED:
        match, _ = decide(answers_of(transcript))
        if match is not None:
            found.setdefault(match.protocol, set()).update(match.over)
    return found


def names_of(transcript: dict[str, Any]) -> set[str]:
    """Return the protocol of a transcript, and what a part of it may be taken for: the general case of that."""
    name = transcript["protocol"]
    return {name, *special_cases().get(name, ())}


@pytest.mark.parametrize(("name", "transcript"), RECORDED, ids=[name for name, _ in RECORDED])
def test_a_transcript_is_named_right(name: str, transcript: dict[str, Any]) -> None:  # noqa: ARG001  # it is the test's
    """The answers of a real server decide for its protocol and no other, with product and version where they tell."""
    match, found = decide(answers_of(transcript))
    assert (match.protocol if match else None) == transcript["protocol"], found
    if match is not None:
        for fact in ("product", "version"):
            if transcript[fact] is not None:
                assert getattr(match, fact) == transcript[fact]


@pytest.mark.parametrize(("name", "transcript"), RECORDED, ids=[name for name, _ in RECORDED])
def test_no_answer_alone_is_named_wrong(name: str, transcript: dict[str, Any]) -> None:  # noqa: ARG001  # as above
    """No single answer of a server is taken for another protocol's, whoever looks at it: the matrix is diagonal.

    Of HTTP with a purpose one answer alone may show no more than HTTP.
    """
    allowed = names_of(transcript)
    for answer in answers_of(transcript):
        match, found = decide([answer])
        assert match is None or match.protocol in allowed, found


@given(st.integers(), st.sampled_from(PROBE_NAMES), st.sampled_from(["tcp", "udp"]))
def test_random_bytes_name_nothing(seed: int, probe: str, transport: Transport) -> None:
    """Random bytes are never named, and never make a recogniser fail."""
    random = Random(seed)  # noqa: S311  # hypothesis itself would put in the constants of our source
    answer = Answer(probe, b"", random.randbytes(random.randrange(300)), transport, random.randbytes(16))
    assert decide([answer])[0] is None


@given(st.sampled_from(RECORDED), st.data())
def test_cut_and_changed_answers_never_fail(recorded: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    """What was cut off or damaged on its way makes no recogniser fail, and is named right or not at all when cut."""
    for answer in answers_of(recorded[1]):
        cut = data.draw(st.integers(0, len(answer.data)))
        match, _ = decide([replace(answer, data=answer.data[:cut])])
        assert match is None or match.protocol in names_of(recorded[1])
        if answer.data:
            place = data.draw(st.integers(0, len(answer.data) - 1))
            changed = bytearray(answer.data)
            changed[place] = data.draw(st.integers(0, 255))
            recognise(replace(answer, data=bytes(changed)))


def test_probes_have_a_purpose() -> None:
    """Each probe says which protocols it is for, has bytes to send, and no two have one name."""
    for module in recognisers():
        for probe in module.PROBES:
            assert probe.speaks
            assert probe.payload(bytes(16))
            assert len(probe.payload(bytes(16))) <= LARGE.get(probe.name, 512)
