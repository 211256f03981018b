"""Proofs of parts of network protocols that transcripts do not reach."""

from __future__ import annotations

import pytest

from portulan.identify.answers import Answer
from portulan.identify.deciding import decide
from portulan.identify.protocols import probes, recognise
from portulan.identify.protocols.dnp3 import checksum
from portulan.identify.protocols.sip import software_of
from portulan.model import replace
from tests.identify.transcripts import answers_of, transcripts

NONCE = bytes(range(16))
BOUND_TO_US = {
    *("bacnet", "bittorrent-dht", "cldap", "coap", "dns", "enip", "ike", "ipmi", "iscsi", "kerberos", "l2tp", "mdns"),
    *("minecraft-bedrock", "msrpc", "mumble", "netbios-ns", "nfs", "ntp", "openvpn", "quic", "rpcbind", "snmp", "stun"),
    *("glusterfs", "hazelcast", "iiop", "isns", "kafka", "moosefs", "rabbitmq-stream", "rocketmq", "virtuoso"),
}


@pytest.mark.parametrize("probe", sorted(probes()))
def test_an_echo_is_no_answer(probe: str) -> None:
    """What is sent back as it came is nobody's answer, whatever it was that was asked."""
    asked = probes()[probe]
    sent = asked.payload(NONCE)
    echo = Answer(probe, sent, sent, asked.transport, NONCE)
    assert not [match for match in recognise(echo) if match.protocol in asked.speaks]
    assert decide([echo])[0] is None


@pytest.mark.parametrize("code", [0x01, 0x83, 0x85])
@pytest.mark.parametrize("probe", sorted(probes()))
def test_a_confused_name_server_is_nothing_else(probe: str, code: int) -> None:
    """Some name servers send anything back with two bytes changed: the flags of a response and an error's code."""
    asked = probes()[probe]
    sent = asked.payload(NONCE).ljust(4, b"\0")
    data = sent[:2] + bytes([sent[2] | 0x80, code]) + sent[4:]
    match, found = decide([Answer(probe, sent, data, asked.transport, NONCE)])
    assert match is None or match.protocol == "dns", found


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (name, answer)
        for name, transcript in transcripts()
        if transcript["protocol"] in BOUND_TO_US - {"bacnet", "ipmi", "kerberos", "mumble"}
        for answer in answers_of(transcript)
        if answer.data
    ],
)
def test_an_answer_to_somebody_else_is_none(name: str, answer: Answer) -> None:
    """Protocols that give back an identifier are named only where it is ours."""
    other = replace(answer, nonce=bytes([byte ^ 0x5A for byte in answer.nonce]))
    match, found = decide([other])
    assert match is None, (name, found)


def test_the_checksum_of_dnp3_is_that_of_a_known_frame() -> None:
    """A reset of the link from 1024 to 1 ends in E9 21, as every analyser shows it."""
    assert checksum(bytes.fromhex("056405c001000004")) == 0x21E9


@pytest.mark.parametrize(
    ("text", "software"),
    [
        ("kamailio (5.6.3 (x86_64/linux))", ("kamailio", "5.6.3")),
        ("Asterisk PBX 18.2.0", ("Asterisk PBX", "18.2.0")),
        ("3CXPhoneSystem 18.0.3.450", ("3CXPhoneSystem", "18.0.3.450")),
        ("FreeSWITCH-mod_sofia/1.10.7-release", ("FreeSWITCH-mod_sofia", "1.10.7-release")),
        ("FPBX-16.0.40(18.9.0)", ("FPBX", "16.0.40")),
        ("snom-M9", ("snom-M9", None)),
        ("", (None, None)),
    ],
)
def test_products_of_sip(text: str, software: tuple[str | None, str | None]) -> None:
    """Product and version are told apart in the shapes that servers write them in."""
    assert software_of(text) == software
