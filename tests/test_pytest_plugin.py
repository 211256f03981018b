"""The fixtures for test suites: what a suite gets that only has Portulan installed, several suites at once included."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from portulan.coordinate.ledger import open_ledger
from tests.cli.door import environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows hands no sockets over")

SUITE = '''
import socket, sys
import pytest

SERVE = """
import socket
taken, _ = socket.socket(fileno=3).accept()
taken.sendall(b"served")
"""

def test_a_port(portulan_port):
    with socket.create_connection(("127.0.0.1", portulan_port.port)) as asking:
        with portulan_port.start([sys.executable, "-c", SERVE]):
            assert asking.recv(9) == b"served"

@pytest.mark.parametrize("number", range(8))
def test_several(portulan_hold, number, record_property):
    held = [portulan_hold(), portulan_hold("node"), portulan_hold("node"), portulan_hold("node", size=3)]
    taken = {one.port + more for one in held for more in range(one.claim.size)}
    assert len(taken) == 6
    assert portulan_hold("node").claim.purpose == f"test_suite.py::test_several[{number}]"

def test_a_number_that_is_asked_for(portulan_hold):
    held = portulan_hold("web")
    with pytest.raises(Exception, match="cannot be had"):
        portulan_hold("other", port=held.port)
'''


def test_suites_at_once_never_meet(tmp_path: Path) -> None:
    """Suites that run at the same time pass, each with ports of its own, and leave nothing claimed."""
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="ascii")
    place = tmp_path / "claims.sqlite"
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-W", "error"]
    env = environment(PORTULAN_LEDGER=str(place), PYTEST_ADDOPTS="")
    suites = [
        subprocess.Popen(words, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(4)
    ]
    for suite in suites:
        said, _ = suite.communicate(timeout=240)
        assert suite.returncode == 0, said
        assert "10 passed" in said
    with open_ledger(None, str(place)) as ledger:
        assert ledger.claims() == ()


def test_suites_that_hold_nothing_load_nothing(tmp_path: Path) -> None:
    """A suite without these fixtures has the plugin, and neither the ledger nor the registry of it."""
    test = "import sys\ndef test(): assert not {'sqlalchemy', 'portulan.held', 'portulan.registry'} & {*sys.modules}\n"
    (tmp_path / "test_nothing.py").write_text(test, encoding="ascii")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "--fixtures"]
    for more, told in ((), "1 passed"), (("--fixtures",), "portulan_port"):
        done = subprocess.run(
            [*words[:-1], *more], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
        )
        assert told in done.stdout, done.stdout
