"""What a verdict makes of where a program comes from: its package, an upgrade, a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.model import replace
from tests.judge.situations import judged, process, short, socket

if TYPE_CHECKING:
    from portulan.registry.index import Index


def test_upgraded_and_not_restarted(index: Index) -> None:
    """A program that was replaced by an upgrade is believed, and the note says that it must be restarted."""
    facts: dict[str, object] = {"executable_status": "deleted", "package": "openssh-server"}
    for replaced_by, said in (("upgrade", "openssh-server was upgraded"), (None, "the file was replaced")):
        upgraded = process("/usr/sbin/sshd", restart_needed=True, replaced_by=replaced_by, **facts)
        verdict = judged(index, socket("listen", 22, upgraded))
        assert short(verdict)[:2] == ("registered", "ok")
        (note,) = verdict.notes
        assert note.rule == "PT305"
        assert f"{said} after the process started" in note.statement
    gone = process("/usr/sbin/sshd", restart_needed=False, **facts)
    assert judged(index, socket("listen", 22, gone)).rule == "PT106"
    assert [note.rule for note in judged(index, socket("listen", 22, gone)).notes] == ["PT302"]


def test_replaced_by_the_same_file(index: Index) -> None:
    """A program that was installed again is believed, and the note says that no restart is needed."""
    facts: dict[str, object] = {"executable_status": "deleted", "package": "openssh-server", "restart_needed": False}
    again = process("/usr/sbin/sshd", executable_intact=True, replaced_by="same", **facts)
    verdict = judged(index, socket("listen", 22, again))
    assert short(verdict)[:2] == ("registered", "ok")
    (note,) = verdict.notes
    assert "replaced by the same file" in note.statement
    assert "no restart is needed" in note.statement


@pytest.mark.parametrize("path", ["/usr/sbin/sshd", "/usr/bin/python3.11", "/usr/bin/of-no-catalogue"])
@pytest.mark.parametrize("intact", [True, None])
def test_a_foreign_file_in_its_place(index: Index, path: str, intact: bool | None) -> None:  # noqa: FBT001  # pytest
    """That the file at a program's path is not the package's is investigated, and said of that file alone."""
    facts: dict[str, object] = {"executable_status": "deleted", "package": "x", "restart_needed": False}
    owner = process(path, executable_intact=intact, replaced_by="foreign", **facts)
    verdict = judged(index, socket("listen", 22, owner))
    assert (verdict.rule, verdict.attention) == ("PT106", "investigate")
    statement = verdict.because[-1].statement
    assert "what lies there now is not what the package x shipped" in statement
    assert "deleted" not in statement
    assert ("though what runs is" in statement) is bool(intact)
    assert "PT306" in [note.rule for note in verdict.notes]
    assert not any(item.statement.startswith(f"{path} is of the package") for item in verdict.because)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/usr/sbin/sshd", "PT110"),
        ("/usr/lib/systemd/systemd", "PT110"),
        ("/usr/bin/python3.11", "PT110"),
        ("/usr/bin/of-no-catalogue", "PT105"),
    ],
)
def test_a_file_that_cannot_be_seen(index: Index, path: str, rule: str) -> None:
    """A file that only its process sees lends no name and is no accusation: look, and who chose its name."""
    verdict = judged(index, socket("listen", 22, process(path, executable_status="unseen")))
    assert (verdict.rule, verdict.judgement, verdict.attention) == (rule, "unexplained", "look")
    assert "in another mount or user namespace" in verdict.because[-1].statement
    assert "Find out who put" not in (verdict.advice or "")
    assert "list-sockets" not in (verdict.advice or "")


def test_upgraded_where_others_can_write(index: Index) -> None:
    """An upgrade lends no belief to a program whose path others can write."""
    facts: dict[str, object] = {"executable_status": "deleted", "package": "x", "restart_needed": True}
    verdict = judged(index, socket("listen", 22, process("/srv/sshd", executable_writable="/srv", **facts)))
    assert verdict.rule == "PT106"
    assert "/srv can be written" in verdict.because[-1].statement


@pytest.mark.parametrize("path", ["/usr/sbin/sshd", "/usr/bin/python3.11", "/usr/bin/of-no-catalogue"])
def test_differs_from_its_package(index: Index, path: str) -> None:
    """A program that is not what its package shipped is investigated on any number, known by its name or not."""
    tampered = process(path, package="some-package", executable_intact=False, restart_needed=False)
    for port in (22, 24999):
        verdict = judged(index, socket("listen", port, tampered))
        assert (verdict.rule, verdict.judgement, verdict.attention) == ("PT106", "unexplained", "investigate")
        assert "not what the package some-package shipped" in verdict.because[-1].statement
        assert [note.rule for note in verdict.notes] == ["PT306"]


def test_of_its_package(index: Index) -> None:
    """That a program is of a package, and as shipped, supports the verdict; that it is of none is context."""

    def said(**facts: object) -> list[tuple[str, str]]:
        verdict = judged(index, socket("listen", 22, process("/usr/sbin/sshd", **facts)))
        assert short(verdict)[:2] == ("registered", "ok")
        return [(item.statement, item.weight) for item in verdict.because if "package" in item.statement]

    package: dict[str, object] = {"package": "openssh-server", "restart_needed": False}
    of = "/usr/sbin/sshd is of the package openssh-server"
    assert said(**package) == [(of, "supports")]
    assert said(**package, executable_intact=True) == [(f"{of}, and matches it", "supports")]
    assert said(restart_needed=False) == [("/usr/sbin/sshd is in no package", "context")]
    assert said() == []


def test_package_lets_a_shared_name_speak(index: Index) -> None:
    """The package is a second fact: a program that is called like several products' is the one of its package."""
    owner = process("/usr/sbin/bgpd", package="openbgpd", restart_needed=False)
    verdict = judged(index, socket("listen", 179, owner))
    assert "is a program of OpenBGPD (it is of the package openbgpd)" in verdict.because[-1].statement
    tampered = replace(owner, executable_intact=False)
    assert judged(index, socket("listen", 179, tampered)).rule == "PT106"


def test_script_that_others_can_write(index: Index) -> None:
    """A script is context with its package, a note where others can write it, and changes no verdict."""
    bare = process("/usr/bin/python3.11", "python3", "/srv/app.py")
    script = replace(bare, script="/srv/app.py", script_package="app", script_writable="/srv")
    plain, told = (judged(index, socket("listen", 8000, owner)) for owner in (bare, script))
    assert (told.rule, short(told), told.because[-1]) == (plain.rule, short(plain), plain.because[-1])
    assert set(told.notes).difference(plain.notes) == {note for note in told.notes if note.rule == "PT307"}
    assert "PT307" in [note.rule for note in told.notes]
    evidence = next(item for item in told.because if item.source.endswith("/cmdline"))
    assert evidence.weight == "context"
    assert "names /srv/app.py, of the package app" in evidence.statement
