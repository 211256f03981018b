"""What the page, the list and `who` say of where programs come from."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portulan.cli.sockets import say_origin
from portulan.model import Process
from tests.cli.door import environment, portulan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Replacement

PERL = Path("/usr/bin/perl")

SCRIPT = """
use Socket;
socket(SERVER, PF_INET, SOCK_STREAM, 0) && bind(SERVER, sockaddr_in(0, INADDR_LOOPBACK)) && listen(SERVER, 1);
$| = 1;
print +(sockaddr_in(getsockname(SERVER)))[0], "\\n";
sleep 600;
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Run a script in the Perl that each Debian has; return its port and the script."""
    if not PERL.exists() or not Path("/var/lib/dpkg/info/perl-base.list").exists():
        pytest.skip("there is no perl of dpkg's here")
    script = tmp_path / "server.pl"
    script.write_text(SCRIPT)
    with subprocess.Popen([PERL, "-w", script.name], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child.stdout.readline().strip(), script
        finally:
            child.kill()


def test_the_page(server: tuple[str, Path]) -> None:
    """The page says the package, that the program matches it, and the script with who can write it."""
    port, script = server
    text = " ".join(portulan(port).stdout.split())
    assert "package perl-base, matches it" in text
    assert f"script {script}, in no package, by its command line" in text
    document = json.loads(portulan(port, "--json").stdout)
    (seen,) = document["observations"]
    (process,) = seen["processes"]
    assert seen["package"] == process["package"] == "perl-base"
    assert (process["executable_intact"], process["restart_needed"]) == (True, False)
    assert (process["script"], process["script_package"], process["command_line"]) == (str(script), None, None)


def test_the_list(server: tuple[str, Path]) -> None:
    """The list says the package, and does not read programs to compare them."""
    port, _ = server
    verdicts = json.loads(portulan("--json").stdout)["verdicts"]
    (seen,) = [verdict["subject"] for verdict in verdicts if verdict["subject"]["local"]["port"] == int(port)]
    assert seen["package"] == "perl-base"
    assert seen["processes"][0]["executable_intact"] is None


@pytest.mark.parametrize("words", [("who",), ("who", "PORT")])
def test_who_does_not_ask(server: tuple[str, Path], words: tuple[str, ...], tmp_path: Path) -> None:
    """`who` is the quick question: no package, no script, and no cache is written."""
    port, _ = server
    cache = tmp_path / "cache"
    done = portulan(
        *[word.replace("PORT", port) for word in words], "--json", env=environment(PORTULAN_CACHE=str(cache))
    )
    (seen,) = [found for found in json.loads(done.stdout)["observations"] if found["local"]["port"] == int(port)]
    assert (seen["package"], seen["processes"][0]["script"], seen["processes"][0]["restart_needed"]) == (
        None,
        None,
        None,
    )
    assert not cache.exists()


def test_a_page_leaves_a_cache(server: tuple[str, Path], tmp_path: Path) -> None:
    """The page keeps what it learned where the user's caches are, and says the same with it."""
    port, _ = server
    env = environment(PORTULAN_CACHE=None, XDG_CACHE_HOME=str(tmp_path))
    first = portulan(port, env=env).stdout
    assert (tmp_path / "portulan" / "packages").is_file()
    assert portulan(port, env=env).stdout == first


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ((None, None, None, None), ""),
        ((None, None, False, None), "in no package"),
        (("nginx-core", None, False, None), "package nginx-core"),
        (("nginx-core", True, False, None), "package nginx-core, matches it"),
        (("nginx-core", False, False, None), "package nginx-core, differs from it"),
        (("nginx-core", None, True, None), "package nginx-core, restart needed: replaced since"),
        (("nginx-core", None, True, "upgrade"), "package nginx-core, restart needed: upgraded since"),
        (("nginx-core", True, False, "same"), "package nginx-core, matches it, replaced by the same file"),
        (
            ("nginx-core", True, False, "foreign"),
            "package nginx-core, matches it, but what lies there now differs from it",
        ),
    ],
)
def test_words(facts: tuple[str | None, bool | None, bool | None, Replacement | None], said: str) -> None:
    """Not asked, in no package, of a package, as shipped or not, what took its place: each has its words."""
    process = Process(1, "nginx", "/usr/sbin/nginx", None, "root", None, "present", None, *facts)
    assert say_origin(process) == said
