"""Proofs of what greetings of text protocols tell: product and version, where they are named, and nothing else."""

from __future__ import annotations

import pytest

from portulan.identify.answers import Answer
from portulan.identify.deciding import decide
from portulan.identify.protocols import recognise


@pytest.mark.parametrize(
    ("greeting", "told"),
    [
        (b"220 a.invalid ESMTP Postfix (Debian/GNU)\r\n", ("smtp", "Postfix", None)),
        (b"220 a.invalid ESMTP Postfix (3.7.11)\r\n", ("smtp", "Postfix", "3.7.11")),
        (b"220 a.invalid ESMTP Exim 4.96 Wed, 25 Nov 2026 08:00:00 +0000\r\n", ("smtp", "Exim", "4.96")),
        (b"220 a.invalid ESMTP Sendmail 8.17.1/8.17.1/Debian-2; Wed, 25 Nov\r\n", ("smtp", "Sendmail", "8.17.1")),
        (b"220 a.invalid ESMTP OpenSMTPD\r\n", ("smtp", "OpenSMTPD", None)),
        (b"220 a.invalid ESMTP Haraka/3.0.3 ready\r\n", ("smtp", "Haraka", "3.0.3")),
        (b"220 mailhog.example ESMTP MailHog\r\n", ("smtp", "MailHog", None)),
        (b"220 a.invalid Microsoft ESMTP MAIL Service ready at Wed\r\n", ("smtp", "Microsoft Exchange", None)),
        (b"220 a.invalid ESMTP\r\n", ("smtp", None, None)),
        (b"220-a.invalid ESMTP\r\n220-be patient\r\n220 go on\r\n", ("smtp", None, None)),
        (b"220 a.invalid Cyrus LMTP 3.6.1-Debian server ready\r\n", ("lmtp", "Cyrus", "3.6.1")),
        (b"220 (vsFTPd 3.0.5)\r\n", ("ftp", "vsftpd", "3.0.5")),
        (b"220 ProFTPD 1.3.5e Server (Debian) [::ffff:192.0.2.1]\r\n", ("ftp", "ProFTPD", "1.3.5e")),
        (b"220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n", ("ftp", "Pure-FTPd", None)),
        (b"220-FileZilla Server 1.8.1\r\n220 bye\r\n", ("ftp", "FileZilla Server", "1.8.1")),
        (b"220 bftpd 4.4 at 192.0.2.1 ready.\r\n", ("ftp", "bftpd", "4.4")),
        (b"220 Microsoft FTP Service\r\n", ("ftp", "Microsoft FTP Service", None)),
        (b"* OK [CAPABILITY IMAP4rev1] a Cyrus IMAP 3.6.1-Debian server ready\r\n", ("imap", "Cyrus", "3.6.1")),
        (b"* OK The Microsoft Exchange IMAP4 service is ready.\r\n", ("imap", "Microsoft Exchange", None)),
        (b"+OK hMailServer\r\n", ("pop3", "hMailServer", None)),
        (b"200 Leafnode NNTP Daemon, version 1.12.0 running at a.invalid\r\n", ("nntp", "Leafnode", "1.12.0")),
    ],
)
def test_a_greeting_tells_its_product(greeting: bytes, told: tuple[str, str | None, str | None]) -> None:
    """A greeting alone names the protocol, and the product where it has its name in it."""
    match, found = decide([Answer("", b"", greeting)])
    assert match is not None, found
    assert (match.protocol, match.product, match.version) == told


@pytest.mark.parametrize(
    "greeting",
    [b"220 ready\r\n", b"421 busy\r\n", b"554 no\r\n", b"530 no\r\n", b"200 hello\r\n", b"+OK\r\n", b"* OK\r\n"],
)
def test_what_several_protocols_say_names_none(greeting: bytes) -> None:
    """A number, or two letters, are shared by several protocols: they are a reason to ask, and no name."""
    assert decide([Answer("", b"", greeting)])[0] is None


def test_a_shared_greeting_suggests_each_of_its_protocols() -> None:
    """Of 220 alone SMTP, LMTP and FTP are asked for, each by what the others do not know."""
    found = recognise(Answer("", b"", b"220 ready\r\n"))
    assert [match.confirm.name for match in found if match.confirm] == [
        "ftp-feat",
        "smtp-ehlo",
        "lmtp-lhlo",
        "ftp-syst",
    ]


def test_encryption_and_login_are_facts() -> None:
    """What a server offers for encryption and login is told, not used."""
    greeting, answer = b"220 a.invalid ESMTP\r\n", b"250-a.invalid\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n"
    match, _ = decide([Answer("", b"", greeting), Answer("smtp-ehlo", b"", answer, before=greeting)])
    assert match is not None
    assert dict(match.facts)["STARTTLS"] == "offered"
    assert dict(match.facts)["authentication"] == "PLAIN LOGIN"
