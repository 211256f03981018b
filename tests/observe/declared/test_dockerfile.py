"""Dockerfiles."""

from __future__ import annotations

import pytest

from portulan.observe.declared import dockerfile
from tests.observe.declared.reading import found_in


def test_exposed_ports_of_every_stage() -> None:
    """EXPOSE may have several ports, ranges and protocols, over lines that go on, with comments between them."""
    text = """# syntax=docker/dockerfile:1
FROM node:18 AS build
EXPOSE 3000
FROM nginx:1.25
expose 80 443/tcp \\
  # not 444
  8000-8001/udp

EXPOSE 9000/icmp http
# EXPOSE 1
"""
    assert found_in(dockerfile, text) == [
        "3 internal 3000",
        "5 internal 443",
        "5 internal 80",
        "7 internal 8000/udp",
        "7 internal 8001/udp",
        "9 bad",
        "9 bad",
    ]


def test_variables_have_the_scope_of_their_stage() -> None:
    """ARG before the first FROM is a default for an ARG of that name; ENV is inherited with the stage, ARG is not."""
    text = """ARG BASE=8000
FROM a AS one
ARG BASE
ARG OWN=8001
ENV PORT=$BASE PROXY http://x
EXPOSE $PORT ${OWN} ${NONE:-8002} ${NONE}
FROM one
EXPOSE $PORT $OWN
"""
    assert [find for find in found_in(dockerfile, text) if find[0] in "68"] == [
        "6 internal 8000",
        "6 internal 8001",
        "6 internal 8002",
        "8 internal 8000",
    ]


def test_environment_command_and_check() -> None:
    """ENV and ARG are settings, CMD and ENTRYPOINT commands in both forms, and HEALTHCHECK dials."""
    text = """FROM a
ENV HTTP_PORT=8080 \\
    DB_URL=postgres://db:5433/x
ENV LEGACY_PORT 8081
ARG PORT=8082
HEALTHCHECK --interval=5s \\
  CMD curl -f http://localhost:${HTTP_PORT}/ || exit 1
ENTRYPOINT ["serve", \\
  "--port", "8083"]
CMD run --port ${LEGACY_PORT}
HEALTHCHECK NONE
RUN run --port 1
LABEL port=2
"""
    assert found_in(dockerfile, text) == [
        "2 internal 8080",
        "3 dialled 5433 on db",
        "4 internal 8081",
        "5 internal 8082",
        "7 dialled 8080 on localhost",
        "9 internal 8083",
        "10 internal 8081",
    ]


def test_here_documents_are_not_instructions() -> None:
    """The lines of a here-document belong to RUN or COPY."""
    text = (
        "FROM a\nRUN <<EOF bash\nEXPOSE 1\nEOF\n"
        "COPY <<-'A' <<B /x/\nEXPOSE 2\n\tA\nEXPOSE 3\nB\nEXPOSE 4\nRUN <<END\nEXPOSE 5\n"
    )
    assert found_in(dockerfile, text) == ["10 internal 4"]


def test_another_escape_character() -> None:
    """A parser directive may set the backtick, as Windows' paths need."""
    assert found_in(dockerfile, "# escape=`\nFROM a\nEXPOSE 80 `\n  81\nRUN x\\\nEXPOSE 82\n") == [
        "3 internal 80",
        "4 internal 81",
        "6 internal 82",
    ]


@pytest.mark.parametrize(
    ("name", "head", "is_one"),
    [
        ("a/Dockerfile", "", True),
        ("Dockerfile.dev", "", True),
        ("web.Dockerfile", "", True),
        ("Containerfile", "", True),
        ("standard input", "# x\nARG V=1\n\nFROM a:$V AS b\nRUN x\n", True),
        ("standard input", "FROM t\nWHERE x\n", False),
        ("Dockerfile.md", "FROM a\nRUN b\n", False),
        ("Dockerfile.dockerignore", "", False),
    ],
)
def test_files_are_known_by_name_or_their_first_instruction(name: str, head: str, is_one: bool) -> None:  # noqa: FBT001  # a case
    """A Dockerfile is called so, or begins with FROM."""
    assert dockerfile.recognise(head, name) is is_one
