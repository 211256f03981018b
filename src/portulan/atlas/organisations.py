"""Which assignees of IANA's registry are organisations: there are pages about those, and none about private persons.

The registry does not tell the two apart. A name counts as an organisation's where one of its words is a legal form
(Inc, GmbH) or what only bodies are called (Foundation, University); any other may be a person's and gets no page,
though it be that of a well-known firm. IANA numbers the contacts of one organisation (``Cisco_Systems``,
``Cisco_Systems_2``): those are put together.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from portulan.atlas.statements import tags

if TYPE_CHECKING:
    from collections.abc import Iterable

    from portulan.model import Assignment

LEGAL_FORMS: Final = frozenset(
    "inc ltd llc gmbh corp corporation limited plc ulc cvba srl ag kg pty".split()  # noqa: SIM905  # reads better
)
BODIES: Final = frozenset(
    # A literal list would be thirty lines.
    """
    alliance association authority committee communications consortium council foundation forum iesg ietf
    industries institute labs laboratories networks organisation organization software solutions systems
    technologies university 3gpp oasis itu
    """.split()  # noqa: SIM905  # as said
)
ROLES: Final = frozenset({"administrator", "contact", "manager"})
"""Words of a person's position in one."""

_NUMBER = re.compile(r"_?[0-9]+$")


def organisation_of(tag: str) -> str | None:
    """Return the organisation that an assignee is, without IANA's number; None where it may be a person."""
    name = _NUMBER.sub("", tag.strip("_")).strip("_.") or tag
    words = [word.strip(".,") for word in re.split(r"[_\s-]", name.casefold())]
    words = [word.replace(".", "") for word in words if word]
    known = LEGAL_FORMS | BODIES
    return name if not known.isdisjoint(words) and ROLES.isdisjoint(words) else None


def organisations(rows: Iterable[Assignment]) -> dict[str, tuple[Assignment, ...]]:
    """Return the rows of each organisation that is an assignee, by its name."""
    found: dict[str, list[Assignment]] = {}
    for row in rows:
        for name in dict.fromkeys(filter(None, map(organisation_of, tags(row.assignee)))):
            found.setdefault(name, []).append(row)
    return {name: tuple(found[name]) for name in sorted(found, key=str.casefold)}
