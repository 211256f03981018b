"""Development containers."""

from __future__ import annotations

from portulan.observe.declared import devcontainer
from tests.observe.declared.reading import found_in


def test_what_is_forwarded_mapped_or_set() -> None:
    """Ports that are forwarded are published, those of other containers too; attributes of ports declare none."""
    text = """// what the editor starts
{
  "forwardPorts": [3000, "db:5432", /* 1, */ 0],
  "appPort": [4000, "8921:5000",],
  "portsAttributes": {"3001": {"label": "x"}},
  "runArgs": ["-p", "99:98/udp", "--publish=97:96", "--name", "x:1"],
  "containerEnv": {"PORT": "1234", "API": "http://api:1235"},
  "image": "x:1236",
}
"""
    assert found_in(devcontainer, text) == [
        "3 published 3000",
        "3 published 5432",
        "4 internal 5000",
        "4 published 4000",
        "4 published 8921",
        "6 internal 96",
        "6 internal 98/udp",
        "6 published 97",
        "6 published 99/udp",
        "7 dialled 1235 on api",
        "7 internal 1234",
    ]
    assert found_in(devcontainer, '{"appPort": 4000}') == ["1 published 4000"]
    assert found_in(devcontainer, '{"appPort": "x:y"}') == ["1 bad"]
    assert found_in(devcontainer, '{"appPort": ') == ["1 bad"]


def test_the_name_is_what_editors_look_for() -> None:
    """`devcontainer.json` in its folder, or with a dot before it, and nothing else."""
    for name in (".devcontainer.json", "a/.devcontainer/devcontainer.json", ".devcontainer/x/devcontainer.json"):
        assert devcontainer.recognise("", name)
    assert not devcontainer.recognise("", "devcontainer-lock.json")
