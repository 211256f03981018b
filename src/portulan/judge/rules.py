"""The rules by which a verdict is reached: a stable code, what it says, and the attention it deserves.

This is the one table that decides attention. `ok`: as it should be, or common practice. `look`: nothing known against
it, nothing for it. `investigate`: positive evidence against it. Each code has a page in docs/rules/.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.model import Attention, Judgement

RULES: dict[str, tuple[str, Judgement, Attention]] = {
    # code: (name, reads after "allow"; judgement; attention)
    "PT101": ("program-of-the-assigned-service", "registered", "ok"),
    "PT102": ("protocol-of-the-assigned-service", "registered", "ok"),
    "PT103": ("program-of-a-cited-use", "known-unofficial", "ok"),
    "PT104": ("program-against-the-cited-use", "unexplained", "investigate"),
    "PT105": ("unconnected-program", "unexplained", "look"),
    "PT106": ("unbelieved-name", "unexplained", "investigate"),
    "PT107": ("program-away-from-home", "elsewhere", "ok"),
    "PT108": ("protocol-away-from-home", "elsewhere", "ok"),
    "PT109": ("protocol-against-the-map", "elsewhere", "investigate"),
    "PT110": ("shared-program", "unexplained", "look"),
    "PT111": ("unreadable-owner", "unknown", "look"),
    "PT112": ("socket-without-process", "unknown", "look"),
    "PT113": ("ending-connection", "unknown", "ok"),
    "PT114": ("protocol-of-a-cited-use", "known-unofficial", "ok"),
    "PT115": ("program-in-memory", "unexplained", "investigate"),
    "PT116": ("connections-passed-on", "unexplained", "look"),
    "PT117": ("redirected-port", "unknown", "look"),
    "PT118": ("protocol-of-a-dialled-use", "elsewhere", "look"),
    "PT119": ("silence-against-the-map", "unexplained", "investigate"),
    "PT120": ("silent-program-of-the-assigned-service", "registered", "look"),
    "PT200": ("expected-by-policy", "expected", "ok"),
    "PT207": ("forbidden-by-policy", "forbidden", "investigate"),
    "PT210": ("port-of-the-claimant", "expected", "ok"),
    "PT211": ("port-claimed-by-another", "forbidden", "investigate"),
}

FINDINGS: dict[str, tuple[str, str, Attention]] = {
    # code of what a check alone can find: (name; in words; attention)
    "PT201": ("unexpected-listener", "a listener that no rule expects", "investigate"),
    "PT202": ("unexpected-program", "another program than a rule expects", "investigate"),
    "PT203": ("wider-address", "on another address than a rule expects", "investigate"),
    "PT204": ("unexpected-protocol", "what answers is not what a rule expects", "investigate"),
    "PT205": ("missing-service", "what a rule expects is not there", "investigate"),
    "PT206": ("expired-rule", "a rule that is still needed has expired", "investigate"),
    "PT208": ("unexpected-connection", "a dial that no rule expects", "investigate"),
    "PT209": ("idle-expired-rule", "a rule has expired, and nothing needs it", "look"),
}

NOTES: dict[str, tuple[str, str]] = {
    # code: (name; where the reason for it can be read)
    "PT301": ("writable-executable", "https://cwe.mitre.org/data/definitions/732.html"),
    "PT302": ("deleted-executable", "https://attack.mitre.org/techniques/T1070/004/"),
    "PT303": ("malware-history", "https://attack.mitre.org/techniques/T1571/"),
    "PT304": ("unauthorized-use-reported", "https://www.iana.org/assignments/service-names-port-numbers"),
    "PT305": ("restart-needed", "https://man7.org/linux/man-pages/man5/proc_pid_exe.5.html"),
    "PT306": ("differs-from-its-package", "https://attack.mitre.org/techniques/T1554/"),
    "PT307": ("writable-script", "https://cwe.mitre.org/data/definitions/732.html"),
    "PT308": ("permissions-not-read", "https://attack.mitre.org/techniques/T1574/010/"),
    "PT309": ("executable-in-memory", "https://attack.mitre.org/techniques/T1620/"),
    "PT310": ("executable-in-a-temporary-folder", "https://attack.mitre.org/techniques/T1564/001/"),
    "PT311": ("netcat-listener", "https://attack.mitre.org/techniques/T1095/"),
    "PT312": ("every-address-without-need", "https://cwe.mitre.org/data/definitions/1327.html"),
    "PT313": ("reachable-debugger", "https://cwe.mitre.org/data/definitions/489.html"),
    "PT314": ("open-docker-api", "https://docs.docker.com/engine/security/protect-access/"),
    "PT315": ("store-without-authentication", "https://cwe.mitre.org/data/definitions/306.html"),
    "PT316": ("cleartext-login", "https://cwe.mitre.org/data/definitions/319.html"),
    "PT317": ("port-shared-by-programs", "https://man7.org/linux/man-pages/man7/socket.7.html"),
    "PT318": ("executable-called-a-pid-file", "https://attack.mitre.org/techniques/T1036/005/"),
    "PT319": ("ssh-away-from-22", "https://falco.org/docs/reference/rules/default-rules/"),
    "PT320": ("claimed-port", "https://man7.org/linux/man-pages/man5/proc_pid_cwd.5.html"),
}

SEVERITY: dict[Attention, int] = {"ok": 0, "look": 1, "investigate": 2}
"""Attention in rising order."""
