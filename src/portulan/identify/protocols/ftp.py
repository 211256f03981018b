"""FTP (RFC 959): a greeting that SMTP's looks like, and commands that no other protocol knows (RFC 2389)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

FEAT = Probe("ftp-feat", fixed(b"FEAT\r\n"), ("ftp",), ports=(21, 990, 2121), rank=60)
PROBES: tuple[Probe, ...] = (FEAT,)

_REPLY = re.compile(rb"220[ -][^\r\n]*\r\n")
_FEATURES = re.compile(
    rb"^ (AUTH|EPRT|EPSV|MDTM|MFMT|MLST|PASV|PBSZ|PROT|REST|SIZE|TVFS|UTF8|LANG|CLNT)\b", re.MULTILINE
)
_LOGIN_FIRST = re.compile(rb"530[ -][^\r\n]*(?:log|USER|auth)", re.IGNORECASE)
_PRODUCTS = (
    ("vsftpd", re.compile(rb"\(vsFTPd (\d[\w.]*)\)")),
    ("ProFTPD", re.compile(rb"ProFTPD(?: (\d[\w.]*))? Server")),
    ("Pure-FTPd", re.compile(rb"Welcome to Pure-FTPd()")),
    ("pyftpdlib", re.compile(rb"pyftpdlib(?: based ftpd|) ?(\d[\w.]*)?")),
    ("FileZilla Server", re.compile(rb"FileZilla Server (?:version )?(\d[\w.]*)?")),
    ("Microsoft FTP Service", re.compile(rb"Microsoft FTP Service()")),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ftp of a greeting, and of the answer to FEAT."""
    data = answer.data
    greeting = answer.before or data
    product, version = _product(greeting)
    facts = (("greeting", text_of(greeting.split(b"\r\n")[0])),)
    if answer.probe == "ftp-feat":
        if data.startswith(b"211-") and _FEATURES.search(data):
            yield Match("ftp", CERTAIN, "FTP features", product, version, facts)
        elif _LOGIN_FIRST.match(data) and _REPLY.match(greeting):
            yield Match("ftp", LIKELY, "FTP refuses a command before the login", product, version, facts)
    elif answer.probe in {"", "tls"} and _REPLY.match(data):
        strength = LIKELY if product or b"FTP" in data.upper() else HINT
        yield Match("ftp", strength, "FTP greeting", product, version, facts, confirm=FEAT)


def _product(greeting: bytes) -> tuple[str | None, str | None]:
    for product, pattern in _PRODUCTS:
        found = pattern.search(greeting)
        if found is not None:
            return product, text_of(found[1]) if found[1] else None
    return None, None
