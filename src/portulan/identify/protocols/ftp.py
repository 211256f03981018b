"""FTP (RFC 959): a greeting that SMTP's looks like, and commands that no other protocol knows.

FEAT (RFC 2389) tells what a server can; many answer it before the login. SYST is older, and its answer begins with 215.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

FEAT = Probe("ftp-feat", fixed(b"FEAT\r\n"), ("ftp",), ports=(21, 990, 2121), rank=86)
SYST = Probe("ftp-syst", fixed(b"SYST\r\n"), ("ftp",), rank=97)
PROBES: tuple[Probe, ...] = (FEAT, SYST)

_GREETING = re.compile(rb"(?:120|220|421|530)[ -][^\r\n]*\r?\n|500 OOPS: vsftpd:[^\r\n]*\r?\n")
_FEATURE = re.compile(
    rb"^(?:211-)? *(AUTH|CCC|CLNT|CSID|EPRT|EPSV|HASH|HOST|LANG|MDTM|MFF|MFMT|MLSD|MLST|PASV|PBSZ|PRET|PROT|REST|SIZE|"
    rb"SSCN|TVFS|UTF8|XCRC)\b(?: ([^\r\n]*))?\r?$",
    re.MULTILINE | re.IGNORECASE,
)  # IANA's registry, "FTP Commands and Extensions"
_LOGIN_FIRST = re.compile(rb"530[ -][^\r\n]*(?:log|USER|auth)", re.IGNORECASE)
_SYSTEM = re.compile(rb"215[ -]([^\r\n]*(?:Type|UNIX|Windows|MVS|VMS|OS)[^\r\n]*)\r?\n", re.IGNORECASE)
_PRODUCTS = (
    ("vsftpd", re.compile(rb"\(vsFTPd (\d[\w.]*)\)|\AOOPS: vsftpd:|\A500 OOPS: vsftpd:")),
    ("ProFTPD", re.compile(rb"\bProFTPD(?: (\d[\w.]*))? Server")),
    ("Pure-FTPd", re.compile(rb"Welcome to Pure-FTPd()")),
    ("pyftpdlib", re.compile(rb"\bpyftpdlib(?: based ftpd)?(?: (\d[\w.]*))?")),
    ("FileZilla Server", re.compile(rb"\bFileZilla Server(?: version)?(?: (\d[\w.]*))?")),
    ("Microsoft FTP Service", re.compile(rb"Microsoft FTP Service(?: \(Version (\d[\w.]*)\))?")),
    ("bftpd", re.compile(rb"\bbftpd (\d[\w.]*)")),
    ("wu-ftpd", re.compile(rb"\(Version wu-(\d[\w.]*)")),
    ("GNU inetutils ftpd", re.compile(rb"\(GNU inetutils (\d[\w.]*)\)")),
    ("Linux-ftpd", re.compile(rb"/Linux-ftpd-(\d[\w.]*)\)")),
    ("Serv-U", re.compile(rb"Serv-U FTP[ -]Server v?(\d[\w.]*)")),
    ("glFTPd", re.compile(rb"\bglFTPd (\d[\w.]*)")),
    ("MikroTik", re.compile(rb"\(MikroTik (\d[\w.]*)\)")),
    ("Apache FtpServer", re.compile(rb"\bApache FTP ?Server()", re.IGNORECASE)),
)
_PLAIN = re.compile(
    rb"\b(SFTPGo|Cerberus FTP Server|CrushFTP|"
    rb"Wing FTP Server|Xlight FTP Server|Titan FTP Server|CompleteFTP|zFTPServer|"
    rb"Synology FTP|FRITZ!Box|Gene6 FTP Server|Rebex FTP Server|oftpd|WarFTPd|SlimFTPd|GuildFTPd)\b(?: v?(\d[\w.]*))?"
)

_NAMED = re.compile(rb"\bS?FTP", re.IGNORECASE)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ftp of a greeting, and of the answers to FEAT and SYST."""
    data = answer.data
    greeting = answer.before or data
    product, version = _product(greeting)
    facts = [("greeting", text_of(greeting.splitlines()[0]))] if greeting.strip() else []
    if answer.transport == "udp":
        return
    if answer.probe == FEAT.name:
        features = {text_of(name).upper(): text_of(value) for name, value in _FEATURE.findall(data)}
        if data.startswith(b"211") and features:
            facts += [("AUTH", features["AUTH"])] if "AUTH" in features else []
            facts.append(("features", " ".join(sorted(features))))
            yield Match("ftp", CERTAIN, "FTP features", product, version, tuple(facts))
        elif _LOGIN_FIRST.match(data) and _GREETING.match(greeting):
            yield Match("ftp", LIKELY, "FTP refuses a command before the login", product, version, tuple(facts))
    elif answer.probe == SYST.name and (found := _SYSTEM.match(data)) and answer.before.startswith(b"220"):
        facts.append(("system", text_of(found[1])))
        yield Match("ftp", CERTAIN, "FTP's answer to SYST", product, version, tuple(facts))
    elif answer.probe in {"", "tls", "http-get", "random"} and _GREETING.match(data):
        named = product is not None or (_NAMED.search(data) and b"SMTP" not in data.upper())
        if named or data.startswith(b"220"):
            strength = LIKELY if named else HINT
            yield Match("ftp", strength, "FTP greeting", product, version, tuple(facts), confirm=FEAT)
            if not named:
                yield Match("ftp", HINT - 0.2, "a greeting that several protocols share", confirm=SYST)


def _product(greeting: bytes) -> tuple[str | None, str | None]:
    for product, pattern in _PRODUCTS:
        found = pattern.search(greeting)
        if found is not None:
            return product, text_of(found[1]) if found[1] else None
    found = _PLAIN.search(greeting)
    if found is None:
        return None, None
    return text_of(found[1]), text_of(found[2]) if found[2] else None
