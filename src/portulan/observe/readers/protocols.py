"""What scanners and sensors found to answer: their names of protocols, and IANA's service names of the same."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from portulan.model import Identification

if TYPE_CHECKING:
    from portulan.model import Transport

PROTOCOLS: dict[str, tuple[str, str]] = {
    # protocol: (IANA's names of the services that speak it; those that speak it inside TLS)
    "afp": ("afpovertcp", ""),
    "amqp": ("amqp", "amqps"),
    "bgp": ("bgp", ""),
    "coap": ("coap", "coaps"),
    "dhcp": ("bootps bootpc", ""),
    "dnp3": ("dnp", "dnp-sec"),
    "dns": ("domain", "domain-s"),
    "epmd": ("epmd", ""),
    "finger": ("finger", ""),
    "ftp": ("ftp", "ftps"),
    "ftp-data": ("ftp-data", "ftps-data"),
    "git": ("git", ""),
    "http": ("http http-alt www www-http", "https"),  # http-alt: IANA's second home of HTTP
    "ident": ("auth ident", ""),
    "ike": ("isakmp ipsec-nat-t", ""),
    "imap": ("imap", "imaps"),
    "ipp": ("ipp", "ipps"),
    "irc": ("irc ircu", "ircs-u"),
    "iscsi": ("iscsi iscsi-target", ""),
    "jetdirect": ("pdl-datastream hp-pdl-datastr", ""),
    "kerberos": ("kerberos", ""),
    "l2tp": ("l2tp", ""),
    "ldap": ("ldap msft-gc", "ldaps msft-gc-ssl"),
    "lpd": ("printer", ""),
    "mdns": ("mdns", ""),
    "memcached": ("memcache", ""),
    "modbus": ("mbap", "mbap-s"),
    "mongodb": ("mongodb", ""),
    "mqtt": ("mqtt", "secure-mqtt"),
    "msrpc": ("epmap", ""),  # all others have the numbers that the endpoint mapper tells
    "mysql": ("mysql", ""),
    "netbios-ns": ("netbios-ns", ""),
    "nfs": ("nfs", ""),
    "nntp": ("nntp", "nntps"),
    "ntp": ("ntp", ""),
    "openvpn": ("openvpn", ""),
    "pop3": ("pop3", "pop3s"),
    "postgresql": ("postgresql", ""),
    "pptp": ("pptp", ""),
    "radius": ("radius radius-acct", "radsec"),
    "rdp": ("ms-wbt-server", "ms-wbt-server"),
    "redis": ("redis", ""),
    "rmi": ("rmiregistry", ""),
    "rsync": ("rsync", ""),
    "rtsp": ("rtsp rtsp-alt", "rtsps"),
    "sip": ("sip", "sips"),
    "smb": ("microsoft-ds netbios-ssn", ""),
    "smtp": ("smtp submission", "submissions"),
    "snmp": ("snmp", "snmptls"),
    "socks": ("socks", ""),
    "ssdp": ("ssdp", ""),
    "ssh": ("ssh", ""),
    "stun": ("stun turn", "stuns turns"),
    "sunrpc": ("sunrpc", ""),
    "svn": ("svn", ""),
    "syslog": ("syslog", "syslog-tls"),
    "tds": ("ms-sql-s", ""),
    "telnet": ("telnet", "telnets"),
    "teredo": ("teredo", ""),
    "tftp": ("tftp", ""),
    "vnc": ("rfb", ""),
    "whois": ("nicname", ""),
    "x11": ("x11", ""),
    "xmpp": ("xmpp-client xmpp-server", ""),
}

OTHER_NAMES: dict[str, str] = {
    # what a tool calls it: the protocol
    "dce_rpc": "msrpc",  # zeek's
    "dhcps": "dhcp",  # nmap's for a server
    "dnp3_tcp": "dnp3",  # zeek's
    "dns-ver": "dns",  # masscan's: it asked for the version
    "domain": "dns",  # IANA's
    "http-proxy": "http",  # a proxy is spoken to in HTTP (RFC 9110, section 3.7)
    "isakmp": "ike",  # IANA's
    "kerberos-sec": "kerberos",  # nmap's
    "krb": "kerberos",  # zeek's
    "krb_tcp": "kerberos",  # zeek's
    "ldap_tcp": "ldap",  # zeek's
    "ldap_udp": "ldap",  # zeek's
    "microsoft-ds": "smb",  # IANA's
    "mongod": "mongodb",  # nmap's
    "ms-sql-s": "tds",  # IANA's
    "ms-wbt-server": "rdp",  # IANA's
    "nbtstat": "netbios-ns",  # masscan's
    "netbios-ssn": "smb",  # nmap's where SMB answers, with and without NetBIOS before it
    "java-rmi": "rmi",  # nmap's
    "pdl-datastream": "jetdirect",  # IANA's
    "printer": "lpd",  # IANA's
    "rfb": "vnc",  # IANA's, and zeek's
    "rmiregistry": "rmi",  # IANA's
    "rpcbind": "sunrpc",  # nmap's: one program of those that speak it
    "zeroconf": "mdns",  # nmap's
}

AROUND = {"ssl": "tls", "tls": "tls", "dtls": "dtls", "quic": "quic"}
"""What is spoken around a protocol and hides which that is: the layer that it is."""
UNTOLD = frozenset({*AROUND, "gssapi", "ntlm", "spnego", "unknown", "tcpwrapped"})
"""Names that do not tell the protocol: those, what is spoken on the way to one, and words for nothing."""


@lru_cache(maxsize=4096)  # a network has few kinds of answers, and each a great many times
def identify(
    called: str | None,
    port: int,
    transport: Transport,
    *,
    tls: bool = False,
    product: str | None = None,
    version: str | None = None,
    confidence: float,
    reasons: tuple[str, ...],
    behaviour: str | None = None,
) -> Identification:
    """Make an identification of what a tool calls a protocol, None where it told none; `tls` where that is inside TLS.

    A protocol that is not in the table keeps the tool's name, and no service name of IANA's is known for it.
    """
    protocol = None if called is None or called in UNTOLD else OTHER_NAMES.get(called, called)
    plain, secured = PROTOCOLS.get(protocol or "", ("", ""))
    layers = (transport, "tls" if tls else AROUND.get(called or ""), protocol)
    return Identification(
        port=port,
        transport=transport,
        protocol=protocol,
        layers=tuple([layer for layer in layers if layer is not None]),
        tls=None,
        product=product,
        version=version,
        confidence=confidence,
        reasons=reasons,
        behaviour=behaviour,
        cost=None,
        transcript=None,
        service_names=tuple((secured if tls else plain).split()),
    )
