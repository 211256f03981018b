"""Service names: their syntax (RFC 6335, section 5.1), and what one tells of another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from typing import Literal

    from portulan.model import Assignment

    Likeness = Literal["secured", "secured-perhaps", "numbered"]

MAX_NAME: Final = 15
"""How many characters a name may have."""

LEAST_STEM: Final = 3
"""A shorter name within another says nothing: `h2` is no second `h`."""

_SECURED = re.compile(r"(?P<stem>.+?)(?:-(?:secure|sec)|-?(?:d?tls|ssl))|(?:d?tls|ssl|secure)-(?P<base>.+)")
_VERSION = re.compile(r"(?P<stem>.*[^\d-])-?(?<!ip)(?:v|ver|version)-?\d+")
_NUMBERED = re.compile(r"(?P<stem>.*[^\d-])-?\d+")


def faults_of_name(name: str) -> tuple[str, ...]:
    """Say which rules of the syntax of service names a text breaks (RFC 6335, section 5.1)."""
    broken = {
        f"has {len(name)} characters, and not 1 to {MAX_NAME}": not 1 <= len(name) <= MAX_NAME,
        "has other characters than the letters A to Z, digits and hyphens": re.search(r"[^A-Za-z0-9-]", name),
        "has no letter": not re.search(r"[A-Za-z]", name),
        "begins or ends with a hyphen": name.startswith("-") or name.endswith("-"),
        "has two hyphens together": "--" in name,
    }
    return tuple(fault for fault, is_broken in broken.items() if is_broken)


def well_formed(name: str) -> str | None:
    """Make a service name of a text as IANA did: other characters become hyphens (RFC 6335, section 10.1)."""
    made = re.sub(r"[^A-Za-z0-9]+", "-", name)[:MAX_NAME].strip("-")
    return None if faults_of_name(made) else made


def names_of(rows: Iterable[Assignment]) -> dict[str, list[Assignment]]:
    """Return rows by their service names and aliases, in lower case: case is ignored (RFC 6335, section 5.1)."""
    names: dict[str, list[Assignment]] = {}
    for row in rows:
        for name in (row.service_name, *row.aliases):
            if name:
                names.setdefault(name.lower(), []).append(row)
    return names


def bare(name: str) -> str:
    """Return a name without case, hyphens and underscores: what is left is what people say."""
    return name.lower().replace("-", "").replace("_", "")


def variant_of(name: str, known: Container[str]) -> tuple[Likeness, str] | None:
    """Tell of which other service a name reads as the variant: inside TLS (`secured`), or a version or an instance.

    `known` are the names of the registry in lower case. A number at the end says that only where the rest is one of
    them, and so does a final `s`, which says it `perhaps`.
    """
    name = name.lower()
    if secured := _SECURED.fullmatch(name):
        return "secured", secured["stem"] or secured["base"]
    if len(name) > LEAST_STEM and name.endswith("s") and name[:-1] in known:
        return "secured-perhaps", name[:-1]
    if version := _VERSION.fullmatch(name):
        return "numbered", version["stem"]
    numbered = _NUMBERED.fullmatch(name)
    if numbered and len(numbered["stem"]) >= LEAST_STEM and numbered["stem"] in known:
        return "numbered", numbered["stem"]
    return None
