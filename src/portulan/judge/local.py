"""What listens on loopback alone unless somebody tells it otherwise, each with the documentation that says so."""

from __future__ import annotations

from portulan.model import Value


class Local(Value):
    """Something that listens on loopback, or on a local socket, unless told otherwise, and where that is written.

    It is known by the product of its program, or by the product or protocol that answers; `port` is the one number that
    this is about, or None.
    """

    what: str
    products: tuple[str, ...]
    protocols: tuple[str, ...]
    source: str
    port: int | None = None


_LOCAL = (
    # how it is said; products; protocols; source
    (
        "PostgreSQL listens on localhost unless told otherwise",
        ("PostgreSQL",),
        ("postgresql",),
        "https://www.postgresql.org/docs/current/runtime-config-connection.html",
    ),
    (
        "as Debian packages it, MariaDB listens on 127.0.0.1",
        ("MariaDB Server", "MySQL Server", "MariaDB", "MySQL"),
        ("mysql",),
        "https://mariadb.com/kb/en/configuring-mariadb-for-remote-client-access/",
    ),
    (
        "Redis listens on loopback as its redis.conf comes",
        ("Redis", "Valkey"),
        ("redis",),
        "https://redis.io/docs/latest/operate/oss_and_stack/management/security/",
    ),
    (
        "as Debian packages it, memcached listens on 127.0.0.1, which it calls one of its only security measures",
        ("memcached", "Memcached"),
        ("memcached",),
        "https://sources.debian.org/src/memcached/latest/debian/memcached.conf/",
    ),
    (
        "MongoDB listens on localhost unless told otherwise",
        ("MongoDB",),
        ("mongodb",),
        "https://www.mongodb.com/docs/manual/core/security-mongodb-configuration/",
    ),
    (
        "Elasticsearch listens on loopback unless told otherwise",
        ("Elasticsearch",),
        (),
        "https://www.elastic.co/docs/reference/elasticsearch/configuration-reference/networking-settings",
    ),
    (
        "OpenSearch listens on loopback unless told otherwise",
        ("OpenSearch",),
        (),
        "https://github.com/opensearch-project/OpenSearch/blob/main/server/src/main/java/org/opensearch/common/network/NetworkService.java",
    ),
    (
        "Solr listens on 127.0.0.1 unless told otherwise",
        ("Solr",),
        (),
        "https://solr.apache.org/guide/solr/latest/deployment-guide/securing-solr.html",
    ),
    (
        "CouchDB listens on 127.0.0.1 unless told otherwise",
        ("CouchDB",),
        (),
        "https://docs.couchdb.org/en/stable/config/http.html",
    ),
    (
        "Cassandra listens to clients on localhost unless told otherwise",
        (),
        ("cql",),
        "https://cassandra.apache.org/doc/latest/cassandra/managing/configuration/cass_yaml_file.html",
    ),
    (
        "ClickHouse listens on loopback unless told otherwise",
        ("ClickHouse",),
        (),
        "https://clickhouse.com/docs/operations/server-configuration-parameters/settings",
    ),
    (
        "etcd listens on localhost unless told otherwise",
        ("etcd",),
        (),
        "https://etcd.io/docs/v3.5/op-guide/configuration/",
    ),
    (
        "CUPS listens on localhost as its cupsd.conf comes",
        ("CUPS",),
        ("ipp",),
        "https://github.com/OpenPrinting/cups/blob/master/conf/cupsd.conf.in",
    ),
    ("gpsd listens on loopback unless told otherwise", ("gpsd",), ("gpsd",), "https://gpsd.io/gpsd.html"),
    (
        "Privoxy listens on 127.0.0.1 as its config comes",
        ("Privoxy",),
        (),
        "https://www.privoxy.org/user-manual/config.html",
    ),
    ("Ollama listens on 127.0.0.1 unless told otherwise", ("Ollama",), (), "https://docs.ollama.com/faq"),
    (
        "Jupyter listens on localhost unless told otherwise",
        ("Jupyter",),
        (),
        "https://jupyter-server.readthedocs.io/en/latest/operators/public-server.html",
    ),
    (
        "the development server of Flask listens on 127.0.0.1 unless told otherwise",
        ("Werkzeug",),
        (),
        "https://flask.palletsprojects.com/en/stable/quickstart/",
    ),
    (
        "Hugo's server listens on 127.0.0.1 unless told otherwise",
        ("Hugo server",),
        (),
        "https://gohugo.io/commands/hugo_server/",
    ),
)
_OF_A_NUMBER = (
    Local(
        "a machine that is no mail server needs its mail program on loopback alone",
        ("Exim", "OpenSMTPD", "Postfix", "Sendmail"),
        (),
        "https://github.com/ComplianceAsCode/content/tree/master/linux_os/guide/services/mail/has_nonlocal_mta",
        port=25,
    ),
    Local(
        "Unbound listens on localhost unless told otherwise",
        ("Unbound",),
        (),
        "https://unbound.docs.nlnetlabs.nl/en/latest/manpages/unbound.conf.html",
        port=53,
    ),
)
_ALL = (*[Local(*row) for row in _LOCAL], *_OF_A_NUMBER)
BY_PRODUCT = {product: local for local in _ALL for product in local.products}
BY_PROTOCOL = {protocol: local for local in _ALL for protocol in local.protocols}
