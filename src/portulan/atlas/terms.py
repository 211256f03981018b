"""The words that data uses, in the language of a page: states, tiers, grades, directions, columns, systems' answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portulan.atlas.words import Words


def terms_in(words: Words) -> dict[str, dict[str, str]]:
    """Return the words by kind and by what the data says."""
    _ = words.gettext
    return {
        "state": {"assigned": _("assigned"), "reserved": _("reserved"), "unassigned": _("unassigned")},
        "tier": {"system": _("system port"), "user": _("user port"), "dynamic": _("dynamic port")},
        "grade": {
            "name-only": _("name only: neither a registration date nor a document"),
            "dated": _("dated: a date and no document"),
            "referenced": _("referenced: a document that is no RFC"),
            "specified": _("specified: an RFC"),
        },
        "relation": {
            "registered": _("agrees with the registry"),
            "unofficial": _("not what the registry has"),
            "malicious": _("malware, history and no proof"),
        },
        "attestation": {"documented": _("documented"), "reported": _("reported")},
        "direction": {"listen": _("holds"), "connect": _("dials"), "accept": _("serves")},
        "change": {"added": _("added"), "removed": _("removed"), "changed": _("changed")},
        "column": {
            "description": _("Description"),
            "assignee": _("Assignee"),
            "contact": _("Contact"),
            "registration_date": _("Registration Date"),
            "modification_date": _("Modification Date"),
            "reference": _("Reference"),
            "service_code": _("Service Code"),
            "unauthorized_use_reported": _("Unauthorized Use Reported"),
            "assignment_notes": _("Assignment Notes"),
        },
        "question": {
            "whose": _("Whose number is it?"),
            "name": _("What does the name mean?"),
            "direction": _("Who dials whom?"),
        },
        "judgement": {
            "expected": _("expected"),
            "forbidden": _("forbidden"),
            "registered": _("registered"),
            "known-unofficial": _("known, unofficial"),
            "elsewhere": _("away from its own number"),
            "unexplained": _("unexplained"),
            "unknown": _("unknown"),
        },
        "attention": {"ok": _("ok"), "look": _("look"), "investigate": _("investigate")},
        "evidence": {
            "registry": _("map"),
            "use": _("cited use"),
            "process": _("process"),
            "probe": _("answer"),
            "policy": _("policy"),
            "claim": _("claim"),
            "history": _("history"),
        },
        "missing": {
            "not permitted": _("not permitted"),
            "other namespace": _("other namespace"),
            "no process holds it": _("no process holds it"),
            "closed before it could be read": _("closed before it could be read"),
            "not recorded": _("not recorded"),
        },
        "shows": {
            "holds": _("holds"),
            "dials": _("dials"),
            "dials or serves": _("dials or serves"),
            "holds or dials": _("holds or dials"),
            "without sudo": _("without sudo"),
        },
        "lacking": {
            "(no command: macOS itself has no SCTP)": _("(no command: macOS itself has no SCTP)"),
            "(no command: macOS has no DCCP)": _("(no command: macOS has no DCCP)"),
            "(no command: Windows keeps no peer of a UDP socket, who dials cannot be seen)": _(
                "(no command: Windows keeps no peer of a UDP socket, who dials cannot be seen)"
            ),
            "(no command: Windows itself has no SCTP)": _("(no command: Windows itself has no SCTP)"),
            "(no command: Windows has no DCCP)": _("(no command: Windows has no DCCP)"),
        },
    }
