"""What the judge found, in the language of a page: the rules in a line each, and a sentence on what is here now.

The judge weighs in English, with names and paths in what it says; its own words are quoted and marked as English. What
there is a fixed number of (rules, judgements, kinds of evidence) is said by us, and translated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.judge.evidence import is_context
from portulan.judge.rules import SEVERITY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from portulan.atlas.words import Words
    from portulan.model import Observation, Verdict


def rules_in(words: Words) -> dict[str, str]:
    """Return what each rule and each note says, by its code."""
    _ = words.gettext
    return {
        "PT101": _("The program belongs to the service that the number is assigned to."),
        "PT102": _("What answers speaks the protocol of the assigned service."),
        "PT103": _("The program belongs to a product that is cited to use the number."),
        "PT104": _("The program is none of the products that are cited to use the number."),
        "PT105": _("Nothing connects the program with the number, and nothing speaks against it."),
        "PT106": _("The program has the name of a known one, and its file cannot be believed."),
        "PT107": _("A known product is on a number that it is not cited for."),
        "PT108": _("What answers is a known protocol away from its own number."),
        "PT109": _("What answers contradicts what the number leads to expect."),
        "PT110": _("The program serves many purposes, and which of them this is cannot be told."),
        "PT111": _("Whose socket it is may not be read."),
        "PT112": _("No process holds the socket: the kernel does, or it is on its way between two processes."),
        "PT113": _("The connection is ending, and no process holds it any more."),
        "PT114": _("What answers speaks the protocol that the number is cited for."),
        "PT115": _("The program runs from memory, and there is no file of it to look at."),
        "PT116": _("The program passes connections on to something else."),
        "PT117": _("A rule of nftables, iptables or IPVS passes on what arrives."),
        "PT118": _("What answers is what a product expects that dials the number; who holds it was not seen."),
        "PT119": _("A server of the assigned service speaks first, and what is here did not."),
        "PT120": _("The program is the expected one, and did not speak first as its protocol does."),
        "PT200": _("A rule of the policy expects or allows it."),
        "PT207": _("A rule of the policy forbids it."),
        "PT210": _("The port is claimed, and the socket is the claimant's."),
        "PT211": _("The port is claimed by another."),
        "PT301": _("Others than root can write a part of the executable's path."),
        "PT302": _("The file that the process was started from is gone."),
        "PT303": _("Malware is cited to have used the number, which is history and no proof."),
        "PT304": _("IANA's row notes a use without an assignment."),
        "PT305": _("The file of the program was replaced after its start: it needs a restart."),
        "PT306": _("The file is not what its package shipped."),
        "PT307": _("Others than root can write a part of the script's path."),
        "PT308": _("Whether others can write the program's folder was not read."),
        "PT309": _("The program was never in a file that can be opened."),
        "PT310": _("The program lies in a temporary or hidden folder."),
        "PT311": _("A netcat listens."),
        "PT312": _("It holds every address, though it comes with loopback alone."),
        "PT313": _("A debugger can be reached from elsewhere."),
        "PT314": _("Docker's API answers, and asks for no certificate."),
        "PT315": _("A store answers without a login."),
        "PT316": _("Names and passwords are sent in the clear."),
        "PT317": _("Two different programs hold the port."),
        "PT318": _("The executable is called as a file is that holds the number of a process."),
        "PT319": _("SSH is used on another number than 22."),
        "PT320": _("The port is claimed, and whether the socket is the claimant's cannot be told."),
    }


def say_here(verdicts: Iterable[Verdict], words: Words) -> str:
    """Say what is there that most deserves a look, by which rule, and how many are like it; nothing where nothing is.

    A rule on many numbers is no news of this one, and a listener's connections belong to it.
    """
    told = [verdict for verdict in verdicts if not is_context(verdict.subject)]
    if not told:
        return ""
    counted = [verdict for verdict in told if verdict.subject.direction != "accept"] or told
    worst = max(told, key=lambda verdict: SEVERITY[verdict.attention])
    alike = sum(1 for verdict in counted if verdict.attention == worst.attention)
    if len(counted) > 1 and alike:
        message = words.gettext("{opening} ({alike} of {all} sockets): {what} {why}")
    else:
        message = words.gettext("{opening}: {what} {why}")
    return message.format(
        opening=_opening(worst, words),
        alike=words.number(alike),
        all=words.number(len(counted)),
        what=_say_socket(worst.subject, words),
        why=rules_in(words).get(worst.rule, ""),
    )


def _opening(verdict: Verdict, words: Words) -> str:
    _ = words.gettext
    return {"ok": _("As it should be"), "look": _("Worth a look"), "investigate": _("Investigate")}[verdict.attention]


def _say_socket(seen: Observation, words: Words) -> str:
    """Say who holds or dials what: a process, a unit, or nobody that is known."""
    _ = words.gettext
    process = next((one for one in seen.processes if one.name), None)
    dials = seen.direction == "connect" and seen.peer is not None
    if process is not None:
        held, dialled = _("{name} (pid {pid}) holds {port}."), _("{name} (pid {pid}) dials {port}.")
    elif seen.unit:
        held, dialled = _("{unit} holds {port}."), _("{unit} dials {port}.")
    elif seen.redirect is not None:
        held = dialled = _("{port} is passed on.")
    else:
        held, dialled = _("A socket is on {port}."), _("A socket dials {port}.")
    number = seen.peer.port if dials and seen.peer is not None else seen.local.port
    return (dialled if dials else held).format(
        name=process.name if process else "",
        pid=process.pid if process else "",
        unit=seen.unit or "",
        port=f"{number}/{seen.transport}",
    )
