"""Whether a cited use agrees with the registry, that is: whether the number was assigned for it.

A use agrees with an assignment where one of these holds; otherwise it is unofficial:

1. its protocol is the service's name or alias, or is registered under that name by ``data/protocols.csv``, or is its
   form without TLS (``imap`` on imaps) where the role says that TLS is used; a product that takes a whole range for
   HTTP agrees with HTTP's own services in it, but not with those that are merely made of HTTP;
2. a characteristic word of the product, or its initials, stands in the service's name or in the first line of its
   description (a vendor that the product is called after counts: IANA's numbers of a house are used by that house);
3. a word of the vendor stands there, and so does a characteristic word of the role;
4. two characteristic words of the role stand there, or one that is the service's name or the first part of it
   (``etcd`` on etcd-client).

Words are compared without regard to case. A word is characteristic where it is not one of `GENERIC`, the words of the
trade that any two descriptions may share; one of four letters or more also counts inside a longer service name
(``postgres`` in postgresql).

``tests/registry/test_agreement.py`` measures the rule against uses that were compared with the registry one by one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from portulan.model import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from portulan.model import Assignment, KnownUse

GENERIC: Final = frozenset(
    # A literal list would be three hundred lines.
    """
    a access active admin administration advanced agent agents alternate an and api app apple application
    applications based box bus by cache call camera central channel chat client clients cloud cluster code collector
    command common communication communications communicator config configuration connect connection connections
    console control controller core daemon dashboard data database datagram debug default desktop dev development
    device devices direct director directory discovery display distributed dynamic edge embedded encrypted engine
    enterprise event events exchange explorer external file files first for framework from game games gateway
    gateways general global graphics group health home host hosts http https hub image in info information instance
    integrated interface internal internet ip is it java job lan legacy library license light link linux list
    listener live local log logging login machine mail main management manager master media memory message messages
    messaging meter metrics mobile mode monitor monitoring multi name network networks node nodes notification
    notifications object objects of office old on one online open or os over packet panel parallel peer peers phone
    phones plain platform player plugin point port ports power print printer private pro proc process processing
    product products professional program project protocol protocols proxy public query queue real realtime receiver
    recorder registration registry relay remote replication report reporting request requests resource rest router
    rpc runtime scanner scheduler search second secure security sender sensor server servers service services
    session share shared sharing shell signalling simple single site smart software source specific ssl standalone
    standard standby start station status storage store stream streaming streams studio suite support sync
    synchronisation synchronization system systems task tcp team technologies technology telephone telephony
    terminal test text the time tls to tool tools traffic transfer transport tunnel two udp ui unencrypted unified
    unix update updates user users version video viewer virtual visual voice watch web window windows wireless with
    worker workstation
    """.split()  # noqa: SIM905  # as said
)
"""Words that show nothing when two texts share them."""

SUBSTRATES: Final = {"http": ("http", "www"), "https": ("https",)}
"""Protocols that others are made of, and how the names of their own services begin."""

WORD: Final = 2
PART: Final = 4
INITIALS: Final = 3
"""How many letters a word must have to count, to count inside a longer one, or to count as initials."""

_VENDORS = {"ms": "microsoft", "msft": "microsoft", "vrts": "veritas"}
"""How IANA's rows abbreviate vendors."""

_WORD = re.compile(r"[a-z]+[0-9]*|[0-9]+[a-z]+[a-z0-9]*")
_NOT_LETTERS = re.compile(r"[^a-z0-9]")
_TLS = frozenset({"tls", "ssl", "secure", "encrypted"})


class Agreement:
    """The rule, with the table of protocols that it needs."""

    def __init__(self, protocols: Mapping[str, Iterable[str]]) -> None:
        """Take the IANA service names of each of our protocol names."""
        self._protocols = {letters(ours): frozenset(map(letters, names)) for ours, names in protocols.items()}
        self._read: dict[int, tuple[Assignment, frozenset[str], frozenset[str]]] = {}

    def related(self, use: KnownUse, assignments: Iterable[Assignment]) -> KnownUse:
        """Return the use with its relation to the assignments of one (port, transport) pair."""
        if use.relation == "malicious":
            return use
        agrees = any(self.agrees(use, assignment) for assignment in assignments)
        related: KnownUse = replace(use, relation="registered" if agrees else "unofficial")
        return related

    def agrees(self, use: KnownUse, assignment: Assignment) -> bool:
        """Tell whether a use is what an assignment is for."""
        names, there = self.read(assignment)
        role = words(f"{use.role or ''} {use.protocol or ''}")
        if use.protocol and self._same_protocol(use, names, tls=not _TLS.isdisjoint(role)):
            return True
        if _shared((words(use.product) - GENERIC) | _initials(use.product), names, there):
            return True
        vendor = words(use.vendor or "") - GENERIC
        in_role = _shared(role - GENERIC - vendor, names, there)
        if not in_role:
            return False
        whole = names | words((assignment.service_name or "").partition("-")[0])
        return len(in_role) > 1 or not whole.isdisjoint(in_role) or bool(_shared(vendor, names, there))

    def names_of(self, protocol: str) -> frozenset[str]:
        """Return the service names of one of our protocol names, as bare letters."""
        return self._protocols.get(letters(protocol), frozenset())

    def _same_protocol(self, use: KnownUse, names: frozenset[str], *, tls: bool) -> bool:
        ours = letters(use.protocol or "")
        known = self.names_of(ours)
        if ours in SUBSTRATES and use.ports.first != use.ports.last:
            known = frozenset(name for name in known if name.startswith(SUBSTRATES[ours]))
        with_tls = (f"{ours}s", f"{ours}tls", f"{ours}ssl")
        return ours in names or not names.isdisjoint(known) or (tls and not names.isdisjoint(with_tls))

    def read(self, assignment: Assignment) -> tuple[frozenset[str], frozenset[str]]:
        """Return the names of an assignment as bare letters, and the words that describe it."""
        # Kept by identity, with the value so that it stays that one's: hashing the fields would cost more than reading.
        read = self._read.get(id(assignment))
        if read is None:
            names = [name for name in (assignment.service_name, *assignment.aliases) if name]
            text = " ".join([*names, (assignment.description or "").partition("\n")[0]])
            read = self._read[id(assignment)] = assignment, frozenset(map(letters, names)), words(text)
        return read[1:]


def _shared(ours: frozenset[str], names: frozenset[str], there: frozenset[str]) -> frozenset[str]:
    """Return which of our words stand in an assignment."""
    return frozenset(
        word
        for word in ours
        if (len(word) >= WORD and word in there) or (len(word) >= PART and any(word in name for name in names))
    )


def _initials(product: str) -> frozenset[str]:
    """Return ``pcp`` for "Performance Co-Pilot": the initials of three words or more."""
    initials = "".join(word[0] for word in _WORD.findall(product.casefold()))
    return frozenset({initials} if len(initials) >= INITIALS else ())


def words(text: str) -> frozenset[str]:
    """Return the words of a text, in lower case, vendors written out."""
    return frozenset(_VENDORS.get(word, word) for word in _WORD.findall(text.casefold()))


def letters(name: str) -> str:
    """Return a name without anything but letters and digits, in lower case."""
    return _NOT_LETTERS.sub("", name.casefold())
