"""Which word of a command line names the script that an interpreter runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe.script import INTERPRETERS, find_script

words = st.lists(
    st.sampled_from(["-c", "-m", "-W", "-jar", "--", "-", "+o", "", "a.py", "-Xa", "run", "-f", "--x"])
    | st.text(max_size=8),
    max_size=8,
)


@pytest.mark.parametrize(
    ("line", "script"),
    [
        ("python3 app.py --port 80", "app.py"),
        ("python3.11 -u -W error -X dev app.py", "app.py"),
        ("python3 -Wdefault::DeprecationWarning app.py", "app.py"),
        ("python3 -uW error app.py", "app.py"),
        ("python3 -m http.server 80", None),
        ("python3 -um http.server", None),
        ("python3 -c import-this secret", None),
        ("python3 - secret", None),
        ("python3 -- -x.py", "-x.py"),
        ("python3", None),
        ("pypy3 /srv/app.py", "/srv/app.py"),
        ("node --require ./trace.js --inspect=0 server.js", "server.js"),
        ("node -e secret", None),
        ("bun run server.ts", "server.ts"),
        ("deno run --allow-net server.ts", "server.ts"),
        ("perl -w -I lib -MData::Dumper daemon.pl", "daemon.pl"),
        ("perl -lane secret", None),
        ("ruby -rjson -I lib puma", "puma"),
        ("ruby -e secret", None),
        ("php -S 127.0.0.1:80 -t public router.php", "router.php"),
        ("php -d a=b -f index.php", "index.php"),
        ("php -r secret", None),
        ("php8.2 artisan serve", "artisan"),
        ("java -Xmx1g -Dapp=x -cp a:b -jar app.jar --port 80", "app.jar"),
        ("java -cp a:b org.example.Main secret", None),
        ("java -m module/org.example.Main", None),
        ("bash -eo pipefail run.sh", "run.sh"),
        ("sh -c secret", None),
        ("bash -lc secret", None),
        ("dash run.sh", "run.sh"),
        ("nginx -c nginx.conf", None),
        ("pythonic app.py", None),
    ],
)
def test_script(line: str, script: str | None) -> None:
    """The first word that is neither an option nor its value, where the program text comes from no other place."""
    command_line = tuple(line.split())
    assert find_script(f"/usr/bin/{command_line[0]}", command_line) == script


@given(st.sampled_from(sorted(INTERPRETERS)), words)
def test_any_command_line(name: str, command_line: list[str]) -> None:
    """Whatever stands there, the answer is one of the words or none, and never the first."""
    script = find_script(f"/usr/bin/{name}", ("secret-name", *command_line))
    assert script is None or script in command_line


def test_the_name_it_gives_itself_does_not_count() -> None:
    """What a process is called by its command line does not make it an interpreter."""
    assert find_script("/usr/sbin/nginx", ("python3", "app.py")) is None
    assert find_script("/usr/bin/python3.11", ("nginx", "app.py")) == "app.py"
