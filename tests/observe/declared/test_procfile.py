"""Procfiles."""

from __future__ import annotations

from portulan.observe.declared import procfile
from tests.observe.declared.reading import found_in


def test_commands_of_processes() -> None:
    """Each line is a command; a variable counts with its default alone, and no line gives another one's."""
    text = """\
# web: old -p 1000
web: bundle exec puma -p ${PORT:-5000} -t 5:5 -w 2
api: PORT=4000 node server.js
worker: celery -A shop worker -c 4 --broker redis://localhost:6379/0
other: gunicorn -b 0.0.0.0:$PORT --timeout 8080 shop:app
release: python manage.py migrate && curl http://localhost:8001/
"""
    assert found_in(procfile, text) == [
        "2 published 5000",
        "3 published 4000",
        "4 dialled 6379 on localhost",
        "6 dialled 8001 on localhost",
    ]


def test_names() -> None:
    """A Procfile is told by its name."""
    assert all(procfile.recognise("", name) for name in ("Procfile", "app/Procfile.dev"))
    assert not procfile.recognise("", "Procfiles")
