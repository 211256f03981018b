"""package.json."""

from __future__ import annotations

import pytest

from portulan.observe.declared import package_json
from tests.observe.declared.reading import found_in


@pytest.mark.parametrize(
    ("script", "finds"),
    [
        ("next dev -p 3001", ["published 3001"]),
        ("vite --port=5174 --host", ["published 5174"]),
        ("ng serve --port 4201", ["published 4201"]),
        ("http-server dist -p 8081 -c-1", ["published 8081"]),
        ("serve -l 5001", ["published 5001"]),
        ("PORT=4000 node .", ["published 4000"]),
        ("cross-env NODE_ENV=test PORT=4100 nuxt dev", ["published 4100"]),
        ("set PORT=9013&& node .", ["published 9013"]),
        ("env-cmd -f .env.test astro dev --port 4321", ["published 4321"]),
        ("concurrently 'npm:watch' 'json-server --port 4001 db.json'", ["published 4001"]),
        ("webpack serve --port 3005 --open", ["published 3005"]),
        ("node --inspect=9229 a.js", ["published 9229 on 127.0.0.1"]),
        ("wait-on http://localhost:3000 && cypress run", ["dialled 3000 on localhost"]),
        ("docker run -p 5433:5432 postgres:16", ["internal 5432", "published 5433"]),
        ("psql -h db -p 5434", ["dialled 5434"]),
        ("npm run dev:3000 && yarn start:8080 && npm run x:80", []),
        ("mkdir -p 2024 && tsc -p 3000 && echo 8080 && rimraf dist/8080", []),
        ("jest --maxWorkers 3000 --testTimeout=5000", []),
        ("node -e 1\nPORT=3000 node .", ["published 3000"]),
    ],
)
def test_scripts(script: str, finds: list[str]) -> None:
    """What scripts start listens on this machine; names of scripts, folders and versions are no ports."""
    escaped = script.replace("\n", "\\n")
    text = f'{{"version": "3000.1.0",\n "scripts": {{"x": "{escaped}"}}, "engines": {{"node": ">=18"}}}}'
    assert found_in(package_json, text) == [f"2 {find}" for find in finds]


def test_the_proxy_is_dialled() -> None:
    """Create React App passes requests on to `proxy`."""
    assert found_in(package_json, '{"proxy": "http://localhost:4000"}') == ["1 dialled 4000 on localhost"]
    assert found_in(package_json, '{"proxy": {"/api": {"target": "http://b:1"}}}') == ["1 dialled 1 on b"]


def test_a_damaged_file_is_bad() -> None:
    """It is one record."""
    assert found_in(package_json, '{"scripts": {"a": "vite --port 1"') == ["1 bad"]
