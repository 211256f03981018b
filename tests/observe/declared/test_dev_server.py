"""Configurations of development servers."""

from __future__ import annotations

import pytest

from portulan.observe.declared import dev_server
from portulan.observe.declared.javascript import tokens_of
from tests.observe.declared.reading import found_in


def test_vite() -> None:
    """Its servers are published; what it passes requests on to, and where browsers find it, is dialled."""
    text = """import { defineConfig } from 'vite' // port: 1
/* server: { port: 2 } */
const api = process.env.API ?? 'http://localhost:8000'
const slashes = /\\/\\/[/"]/g, regular = { port: 3 }
export default defineConfig(({ command }) => ({
  server: {
    port: 3000, strictPort: true, origin: 'http://localhost:4', cors: { origin: ['http://localhost:5'] },
    hmr: { port: 24678, clientPort: 443 },
    proxy: {
      '/api': { target: api, rewrite: (path) => path.replace(/^\\/api:9/, '') },
      '/old': `http://old:9001`, '/ws': { target: 'ws://localhost:9002', ws: true }, '/bare': 'localhost:9003',
    },
  },
  preview: { port: command === 'serve' ? 4330 : 4331 },
}))
"""
    assert found_in(dev_server, text, "vite.config.ts") == [
        "3 dialled 8000 on localhost",
        "4 published 3",
        "7 published 3000",
        "8 dialled 443",
        "8 published 24678",
        "11 dialled 9001 on old",
        "11 dialled 9002 on localhost",
        "11 dialled 9003 on localhost",
        "14 published 4330",
        "14 published 4331",
    ]


@pytest.mark.parametrize(
    ("expression", "finds"),
    [
        ("process.env.PORT || 9010", [9010]),
        ("parseInt(process.env.PORT ?? '5190', 10)", [5190]),
        ("Number(process.env.PORT) || 3000", [3000]),
        ("+(process.env.PORT ?? 3000)", [3000]),
        ("'8080'", [8080]),
        ("'auto'", []),
        ("0", []),
        ("port", []),
    ],
)
def test_expressions(expression: str, finds: list[int]) -> None:
    """Of an expression each number counts that may be its value."""
    text = f"module.exports = {{ devServer: {{ port: {expression}, hot: 1 }} }}"
    assert found_in(dev_server, text, "webpack.config.js") == [f"1 published {port}" for port in finds]


def test_a_variable_counts_where_it_is_assigned_and_only_if_used() -> None:
    """The number stands at the assignment; one that no port is set to is no port."""
    text = """const PORT = 5200
const RETRIES = 3000
const port = 5201
export default { server: { port: PORT }, devServer: { port }, url: `http://localhost:${PORT}/` }
"""
    assert found_in(dev_server, text, "x/nuxt.config.ts") == [
        "1 published 5200",
        "3 published 5201",
        "4 dialled 5200 on localhost",
    ]


def test_methods_and_properties() -> None:
    """The name of a method leads to what it returns: rewrites are dialled, redirects and headers handed on."""
    text = """module.exports = {
  async rewrites() { return [{ source: '/a', destination: 'http://api:8000/a' }] },
  async redirects() { return [{ source: '/b', destination: 'http://api:8001/b' }] },
  headers: async () => [{ value: 'http://api:8002' }],
  images: { remotePatterns: [{ hostname: 'x', port: '8003' }] },
}
config.devServer.port = 8004;
"""
    assert found_in(dev_server, text, "next.config.js") == ["2 dialled 8000 on api", "7 published 8004"]


def test_documents() -> None:
    """Angular's workspace and its proxies are JSON with the same keys."""
    text = """{"projects": {"a": {"architect": {"serve": {
  "options": {"port": 4201, "proxyConfig": "x.json"},
  "configurations": {"b": {"port": 4202}}}, "version": 1}}}}
"""
    assert found_in(dev_server, text, "angular.json") == ["2 published 4201", "3 published 4202"]
    assert found_in(dev_server, '{"/api": {"target": "http://a:3000"}}', "proxy.conf.json") == ["1 dialled 3000 on a"]
    assert found_in(dev_server, "{", "angular.json") == ["1 bad"]


@pytest.mark.parametrize("name", ["client", "backend", "proxy"])
def test_a_project_may_be_called_anything(name: str) -> None:
    """The name that a project of Angular has makes its own port nobody else's."""
    text = f'{{"projects": {{"{name}": {{"architect": {{"serve": {{"options": {{"port": 4201}}}}}}}}}}}}'
    assert found_in(dev_server, text, "angular.json") == ["1 published 4201"]


def test_texts_and_patterns_are_single_tokens() -> None:
    """Comments and regular expressions are skipped, and each token knows its line."""
    text = "a = /[/]'\"/ // b\n'c\\'d' /* e\n */ `f\n${g}` h / 2"
    assert [(token.text, token.line) for token in tokens_of(text)] == [
        ("a", 1),
        ("=", 1),
        ("c\\'d", 2),
        ("f\n${g}", 3),
        ("h", 4),
        ("/", 4),
        ("2", 4),
    ]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("vite.config.ts", True),
        ("a/webpack.dev.js", True),
        ("webpack.config.prod.cjs", True),
        ("next.config.mjs", True),
        ("angular.json", True),
        ("proxy.conf.dev.json", True),
        ("tsconfig.json", False),
        ("vite.config.md", False),
        ("src/config.js", False),
    ],
)
def test_files_are_known_by_name(name: str, is_one: bool) -> None:  # noqa: FBT001  # a case
    """These programs look for their configuration under fixed names."""
    assert dev_server.recognise("{", name) is is_one
