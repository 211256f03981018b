"""Control groups: paths, units and containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe import cgroup

if TYPE_CHECKING:
    from pathlib import Path

ID = "0123456789abcdef" * 4
POD = "kubepods-burstable-pod0a1b.slice"


@pytest.mark.parametrize(
    ("path", "unit", "container"),
    [
        ("/", None, None),
        ("/init.scope", "init.scope", None),
        ("/system.slice/nginx.service", "nginx.service", None),
        ("/system.slice/system-postgresql.slice/postgresql@15-main.service", "postgresql@15-main.service", None),
        ("/system.slice/ssh.socket", "ssh.socket", None),
        ("/system.slice/nginx.service/worker", "nginx.service", None),
        ("/system.slice/_cpu.service", "cpu.service", None),
        ("/user.slice/user-1000.slice/session-2.scope", "session-2.scope", None),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/web.service", "web.service", None),
        (f"/system.slice/docker-{ID}.scope", f"docker-{ID}.scope", ID),
        (f"/docker/{ID}", None, ID),
        (f"/docker/{ID}/system.slice/nginx.service", "nginx.service", ID),
        (f"/machine.slice/libpod-{ID}.scope/container", f"libpod-{ID}.scope", ID),
        (f"/machine.slice/libpod-conmon-{ID}.scope", f"libpod-conmon-{ID}.scope", None),
        (f"/kubepods.slice/{POD}/cri-containerd-{ID}.scope", f"cri-containerd-{ID}.scope", ID),
        (f"/kubepods.slice/{POD}/crio-{ID}.scope", f"crio-{ID}.scope", ID),
        (f"/kubepods/burstable/pod0a1b/{ID}", None, ID),
        (f"/system.slice/containerd.service/{POD}:cri-containerd:{ID}", "containerd.service", ID),
        ("/lxc/web", None, "web"),
        ("/lxc.payload.web/system.slice/ssh.service", "ssh.service", "web"),
        ("/lxc.payload/web/init.scope", "init.scope", "web"),
        ("/machine.slice/machine-web.scope/payload/init.scope", "init.scope", "web"),
        ("/machine.slice/machine-web.scope/supervisor", "machine-web.scope", None),
        ("/machine.slice/systemd-nspawn@web.service/payload", "systemd-nspawn@web.service", "web"),
        (r"/machine.slice/machine-qemu\x2d1\x2dvm.scope", r"machine-qemu\x2d1\x2dvm.scope", None),
        ("/system.slice/machine-learning.service", "machine-learning.service", None),
        (f"/system.slice/{ID[:-1]}.service", f"{ID[:-1]}.service", None),
        (f"/system.slice/{ID.upper()}", None, None),
    ],
)
def test_unit_and_container(path: str, unit: str | None, container: str | None) -> None:
    """The innermost unit and the innermost container of a path are named, by the habits of each runtime."""
    assert (cgroup.unit_of(path), cgroup.container_of(path)) == (unit, container)


@given(st.text())
def test_any_path(path: str) -> None:
    """Any path gives parts of itself or nothing."""
    for part in (cgroup.unit_of(path), cgroup.container_of(path)):
        assert part is None or part in path


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (b"0::/system.slice/ssh.service\n", "/system.slice/ssh.service"),
        (b"0::/\n", "/"),
        (b"1:name=systemd:/system.slice/ssh.service\n0::/\n", "/system.slice/ssh.service"),
        (b"4:memory:/docker/x\n1:name=systemd:/system.slice/ssh.service\n0::/user.slice\n", "/user.slice"),
        (b"12:cpu,cpuacct:/a\n1:name=systemd:/b:c\n", "/b:c"),
        (b"4:memory:/a\n", None),
        (b"0::/odd\xff\n", "/odd\\xff"),
        (b"", None),
    ],
)
def test_membership(content: bytes, path: str | None) -> None:
    """Version 2 counts, and systemd's own tree of version 1 where version 2 says nothing."""
    assert cgroup.parse_membership(content) == path


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Build what looks like a tree of control groups."""
    (tmp_path / "cgroup.controllers").touch()
    for name in ("user.slice/user-1.slice", "system.slice/ssh.service", "system.slice/web.service/worker"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "system.slice/ssh.service/cgroup.procs").write_text("12\n0\n345\n")
    monkeypatch.setattr(cgroup, "_MOUNTS", (b"/nonexistent", str(tmp_path).encode()))
    return tmp_path


def test_groups_are_found_by_id(tree: Path) -> None:
    """The id of a group is its folder's inode; unknown ids have no path; 0 stands for processes elsewhere."""
    names = ("system.slice/ssh.service", "system.slice/web.service/worker", "user.slice/user-1.slice", ".")
    ids = [(tree / name).stat().st_ino for name in names]
    groups = cgroup.Groups([*ids, 0, 999_999_999_999])
    assert [groups.path(number) for number in ids] == [*(f"/{name}" for name in names[:-1]), "/"]
    assert groups.path(999_999_999_999) is None
    assert groups.read_processes(ids[0]) == [12, 0, 345]
    assert groups.read_processes(ids[1]) == []
    assert groups.read_processes(ids[-1]) == []


def test_no_version_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where version 2 is not mounted, nothing is known and nothing fails."""
    monkeypatch.setattr(cgroup, "_MOUNTS", ())
    groups = cgroup.Groups([1, 2])
    assert groups.path(1) is None
    assert groups.read_processes(1) == []
