"""The TLS handshake by the standard `ssl` module: to look, not to trust."""

from __future__ import annotations

import hashlib
import ssl
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from portulan.identify.protocols.tls import CERTIFICATE_REQUEST, read_flight
from portulan.model import Certificate, Tls

if TYPE_CHECKING:
    from datetime import datetime

LEGACY_SERVER_CONNECT = 0x4
"""OpenSSL's option for servers without secure renegotiation (RFC 5746); the standard library names it since 3.12."""

_wanting: WeakSet[Any] = WeakSet()


@cache
def context(alpn: tuple[str, ...]) -> ssl.SSLContext:
    """Return the settings of a handshake that verifies nothing, takes old versions too, and offers these protocols."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.options |= LEGACY_SERVER_CONNECT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that old versions are old is what we look for
        made.minimum_version = ssl.TLSVersion.TLSv1
    made.set_ciphers("ALL:@SECLEVEL=0")
    if alpn:
        made.set_alpn_protocols(list(alpn))
    # The only way to see a request for a certificate, which ssl itself answers with none.
    made._msg_callback = _note_request  # type: ignore[attr-defined]  # noqa: SLF001
    return made


def _note_request(
    connection: Any,  # noqa: ANN401  # what ssl gives: an SSLObject
    direction: str,
    _version: object,
    _content_type: object,
    message: int,
    _data: bytes,
) -> None:
    if direction == "read" and message == CERTIFICATE_REQUEST:
        _wanting.add(connection)


def facts(secure: ssl.SSLObject) -> Tls:
    """Return what a finished handshake showed."""
    version = (secure.version() or "").removeprefix("TLSv")
    data = secure.getpeercert(binary_form=True)
    return Tls(
        version="1.0" if version == "1" else version,
        alpn=secure.selected_alpn_protocol(),
        client_certificate_wanted=secure in _wanting,
        certificate=None if data is None else read_certificate(data),
    )


def overheard(data: bytes) -> Tls | None:
    """Return what an answer to our ClientHello shows, for where no handshake was finished."""
    flight = read_flight(data)
    if flight is None:
        return None
    certificate = None if flight.certificate is None else read_certificate(flight.certificate)
    return Tls(flight.version, flight.alpn, flight.certificate_wanted, certificate)


@cache
def read_certificate(data: bytes) -> Certificate | None:
    """Return the facts of a certificate (RFC 5280); None where the library for that is missing, or it is none."""
    try:
        from cryptography import x509  # noqa: PLC0415  # an extra, and only for TLS
    except ImportError:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # certificates of the field break many a rule
            read = x509.load_der_x509_certificate(data)
            subject, names = read.subject.rfc4514_string(), _names(read)
            begins, ends = read.not_valid_before_utc, read.not_valid_after_utc
    except (ValueError, x509.UnsupportedGeneralNameType):
        return None
    return Certificate(subject, names, _time(begins), _time(ends), hashlib.sha256(data).hexdigest())


def _names(read: Any) -> tuple[str, ...]:  # noqa: ANN401  # a certificate of the library, which may not be there
    """Return the names of the subject: its alternative names, by which servers are told (RFC 6125)."""
    from cryptography import x509  # noqa: PLC0415  # as above

    try:
        found = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ()
    return tuple([str(name.value) for name in found if isinstance(name, (x509.DNSName, x509.IPAddress))])


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def why(error: Exception) -> str:
    """Say in a few words why a handshake failed: by OpenSSL's reason, which for an alert is its name."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no reason given").lower().replace("_", " ")
    if isinstance(error, TimeoutError):
        return "it took too long"
    return str(error) or type(error).__name__
