# ruff: noqa: SIM905  # so many words are easier to read as a text than as a column
"""What a setting says by its name: a number as `*_PORT`, an address or a URL under any name.

A number listens, unless its name says a service that others provide. An address is dialled, unless its name says that
something is bound there, or it is any address.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.declared.places import Found, find_places, is_any, parse_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Role

_PROVIDED = frozenset(
    "amqp broker cache cassandra clickhouse consul couchbase couchdb database db elastic elasticsearch email "
    "etcd graphite imap influx influxdb kafka ldap ldaps logstash mail mailer mariadb memcache memcached "
    "minio mongo mongodb mq mqtt mssql mysql nats neo4j opensearch oracle pg pgport postgres postgresql "
    "pulsar queue rabbit rabbitmq redis remote s3 smtp solr sql sqlserver statsd syslog target upstream "
    "valkey vault zookeeper".split()
)
"""Words that say a service that others provide."""
_BOUND = frozenset({"listen", "listener", "listeners", "listening", "bind", "binds", "binding"})
_UDP = frozenset({"statsd", "syslog", "udp"})
_HANDED_ON = frozenset(
    {"cors", "origin", "origins", "redirect", "redirects", "csrf", "image", "images", "tag", "version"}
)
"""Words that say that an address is only compared, or handed on, or that it is none."""
_VERSIONS = 25
"""Below this a number behind a bare word may be the version of an image: `node:22`."""
_SECRETS = frozenset(["auth", "credentials", "key", "owner", "pass", "password", "salt", "secret", "token", "user"])
"""A name that ends so has a text that may look like an address: `admin:8080`."""
_ADDRESSES = frozenset(
    ["addr", "address", "endpoint", "gateway", "host", "hosts", "peers", "proxy", "server", "servers", "uri", "url"]
)
"""Words that say that a value is an address."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def words_of(name: str) -> list[str]:
    """Return the words of a name, in lower case.

    >>> words_of("spring.data.mongoDb-port"), words_of("REDIS_PORT")
    (['spring', 'data', 'mongo', 'db', 'port'], ['redis', 'port'])
    """
    return [word.lower() for word in _WORD.findall(name)]


def is_port(name: str) -> bool:
    """Tell whether a name is `port`, or ends in it as a word of its own: `HTTP_PORT`, `httpPort`, not `EXPORT`.

    >>> [is_port(name) for name in ("PORT", "server-port", "httpPort", "TRANSPORT", "port_timeout", "PGPORT")]
    [True, True, True, False, False, True]
    """
    return words_of(name)[-1:] in (["port"], ["pgport"])


def is_handed_on(name: str) -> bool:
    """Tell whether an address of this name is only compared or handed on, such as an origin, or is none."""
    return bool(_HANDED_ON.intersection(words_of(name)))


def role_of_port(name: str) -> Role:
    """Return the role of a number by the name that it is given."""
    return "dialled" if _PROVIDED.intersection(words_of(name)) else "published"


def read_setting(name: str, value: str, line: int) -> Iterator[Found]:
    """Yield the ports of one setting, its variables replaced."""
    words = set(words_of(name))
    value = value.strip()
    if is_port(name):
        ports = parse_range(value)
        if ports is not None:
            yield Found(line, *ports, role_of_port(name), "udp" if words & _UDP else "tcp")
            return
    if is_handed_on(name):
        return
    bound = bool(words & _BOUND) and "advertised" not in words
    for place in find_places(value):
        bare = place.scheme is None and (place.host or "").isalpha()
        if place.scheme is None and words_of(name)[-1:] and words_of(name)[-1] in _SECRETS:
            continue
        if place.first < _VERSIONS and bare and not words & (_ADDRESSES | _BOUND | _PROVIDED):
            continue
        role: Role = "published" if bound or is_any(place.host) else "dialled"
        yield Found.at(line, place, role, "udp" if words & _UDP and place.scheme != "tcp" else None)
