"""SNMP: discovery of an agent's engine (RFC 3414, section 4), and what the system is by version 1 and 2c.

Version 3 needs no secret to be asked who it is: it reports that it does not know the engine asked for, and names its
own, which begins with the number of who made it (RFC 3411, section 5). Versions 1 and 2c (RFC 1157, RFC 3416) are asked
for sysDescr with the community `public`; other communities are not tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify import ber
from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer
    from portulan.identify.ber import Element

GET, RESPONSE, REPORT = 0xA0, 0xA2, 0xA8  # RFC 3416, section 3
V1, V2C, V3 = 0, 1, 3
NET_SNMP = 8072
_MAKERS = {  # IANA: private enterprise numbers
    9: "Cisco",
    11: "Hewlett-Packard",
    311: "Microsoft",
    2011: "Huawei",
    2636: "Juniper",
    6574: "Synology",
    14988: "MikroTik",
    NET_SNMP: "Net-SNMP",
}
_SYS_DESCR = ber.write(ber.OBJECT_IDENTIFIER, bytes([0x2B, 6, 1, 2, 1, 1, 1, 0]))  # 1.3.6.1.2.1.1.1.0, RFC 3418
_NOBODY = ber.string(b"")


def discovery(nonce: bytes) -> bytes:
    """Return a request of version 3 to an engine without a name, to be answered by a report."""
    number = ber.integer(ber.positive(nonce))
    header = ber.sequence(number, ber.integer(65_507), ber.string(b"\4"), ber.integer(3))  # reportable; RFC 3412, 6
    security = ber.string(ber.sequence(_NOBODY, ber.integer(0), ber.integer(0), _NOBODY, _NOBODY, _NOBODY))
    request = ber.write(GET, number, ber.integer(0), ber.integer(0), ber.sequence())
    return ber.sequence(ber.integer(V3), header, security, ber.sequence(_NOBODY, _NOBODY, request))


def _description(version: int, nonce: bytes) -> bytes:
    wanted = ber.sequence(ber.sequence(_SYS_DESCR, ber.write(5)))
    request = ber.write(GET, ber.integer(ber.positive(nonce)), ber.integer(0), ber.integer(0), wanted)
    return ber.sequence(ber.integer(version), ber.string(b"public"), request)


def description_v1(nonce: bytes) -> bytes:
    """Return a request of version 1 for sysDescr."""
    return _description(V1, nonce)


def description_v2c(nonce: bytes) -> bytes:
    """Return a request of version 2c for sysDescr."""
    return _description(V2C, nonce)


PROBES = (
    Probe("snmp-v3-udp", discovery, ("snmp",), "udp", (161,), rank=12, in_tls=False),
    Probe("snmp-v2c-udp", description_v2c, ("snmp",), "udp", (161,), rank=44, in_tls=False),
    Probe("snmp-v1-udp", description_v1, ("snmp",), "udp", (161,), rank=66, in_tls=False),
    Probe(
        "snmp-v3",
        discovery,
        ("snmp", "ldap"),
        ports=(161,),
        rank=19,
        in_tls=False,
        after=("closes/closes", "zookeeper-srvr:silent"),
    ),  # by TCP: RFC 3430
    Probe("snmp-v2c", description_v2c, ("snmp",), ports=(161,), rank=88, after=("closes",)),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say snmp of a report or a response with our number."""
    message = ber.read(answer.data)
    if message is None or message.tag != ber.SEQUENCE or not any(answer.nonce):
        return
    parts, number = message.parts, ber.positive(answer.nonce)
    if len(parts) < 3 or parts[0].tag != ber.INTEGER or len(parts[0].value) != 1:  # noqa: PLR2004  # version and two more
        return
    version = parts[0].number
    if version == V3:
        yield from _report(parts, number)
    elif version in {V1, V2C} and parts[1].tag == ber.OCTET_STRING and parts[2].tag in {RESPONSE, REPORT}:
        response = parts[2].parts
        if response and response[0].tag == ber.INTEGER and response[0].number == number:
            facts = (("SNMP version", "1" if version == V1 else "2c"), *_described(response))
            yield Match("snmp", CERTAIN, "SNMP response with our number", facts=facts)


def _report(parts: tuple[Element, ...], number: int) -> Iterator[Match]:
    header, security = parts[1].parts, ber.read(parts[2].value)
    scoped = parts[3].parts if len(parts) == 4 else ()  # noqa: PLR2004  # RFC 3412, section 6
    if not header or header[0].number != number or security is None or not security.parts:
        return
    if len(scoped) != 3 or scoped[2].tag != REPORT:  # noqa: PLR2004  # engine, context and PDU
        return
    engine = security.parts[0].value
    facts, product = [("SNMP version", "3"), ("engine", engine.hex())], None
    if engine and engine[0] & 0x80:
        maker = int.from_bytes(engine[:4], "big") & 0x7FFF_FFFF
        facts.append(("engine made by", _MAKERS.get(maker, f"enterprise {maker}")))
        product = _MAKERS[maker] if maker == NET_SNMP else None
    yield Match("snmp", CERTAIN, "SNMP report with our number", product, facts=tuple(facts))


def _described(response: tuple[Element, ...]) -> tuple[tuple[str, str], ...]:
    """Return what a response says of the system, where it says something."""
    for binding in response[-1].parts:
        pair = binding.parts
        if len(pair) == 2 and pair[1].tag == ber.OCTET_STRING:  # noqa: PLR2004  # a name and its value
            return (("system", text_of(pair[1].value)),)
    return ()
