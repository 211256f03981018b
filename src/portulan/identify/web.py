"""Which product answers in HTTP: what its response says of it, by a field, by the page, or by the Server field.

A field or a page names a product where its maker put a name there that nobody else has; what many could send names
nothing. In each pattern the first group, if it matched, is the version.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import text_of
from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portulan.model import Authentication


class Response(Value):
    """A response of HTTP/1, taken apart: the fields of its head by their names in lower case, and its content."""

    status: str
    fields: Mapping[str, str]
    content: bytes


class Product(Value):
    """A product, as far as it was told."""

    name: str
    version: str | None = None


# ------------------------------------------------------------------------------------------- named by its own fields

_VERSION = r"v?(\d[\w.+~-]*)?"
# A field, what its value begins with, and whose it is. The first that fits counts.
_FIELDS = (
    ("x-jenkins", _VERSION, "Jenkins"),
    ("x-influxdb-version", _VERSION, "InfluxDB"),
    ("x-couchdb-body-time", "", "CouchDB"),
    ("x-clickhouse-summary", "", "ClickHouse"),
    ("x-opensearch-version", r"OpenSearch/" + _VERSION, "OpenSearch"),
    ("x-elastic-product", "", "Elasticsearch"),
    ("docker-distribution-api-version", "", "Docker Registry"),
    ("kbn-version", _VERSION, "Kibana"),
    ("kbn-name", "", "Kibana"),
    ("kbn-license-sig", "", "Kibana"),
    ("osd-name", "", "OpenSearch Dashboards"),
    ("x-consul-default-acl-policy", "", "Consul"),
    ("x-consul-effective-consistency", "", "Consul"),
    ("x-kubernetes-pf-flowschema-uid", "", "Kubernetes"),
    ("x-syncthing-version", _VERSION, "Syncthing"),
    ("x-transmission-session-id", "", "Transmission"),
    ("x-plex-protocol", "", "Plex Media Server"),
    ("x-arango-queue-time-seconds", "", "ArangoDB"),
    ("x-jfrog-version", r"Artifactory/" + _VERSION, "Artifactory"),
    ("x-artifactory-id", "", "Artifactory"),
    ("x-gitlab-meta", "", "GitLab"),
    ("x-github-enterprise-version", r"enterprise-server@" + _VERSION, "GitHub Enterprise"),
    ("x-teamcity-node-id", "", "TeamCity"),
    ("x-redirect-by", r"WordPress", "WordPress"),
    ("www-authenticate", r'Basic realm="ActiveMQRealm"', "ActiveMQ"),
    ("www-authenticate", r'Basic realm="Transmission"', "Transmission"),
    ("www-authenticate", r'Basic realm="aria2"', "aria2"),
    ("www-authenticate", r'Basic realm="RabbitMQ Management"', "RabbitMQ"),
    ("www-authenticate", r'Basic realm="jsonrpc"', "Bitcoin Core"),
    ("www-authenticate", r'Basic realm="Sonatype Nexus', "Nexus Repository"),
    ("www-authenticate", r'Basic realm="Artifactory', "Artifactory"),
    ("www-authenticate", r'Basic realm="(?:NETGEAR|Netgear)', "NETGEAR"),
    ("www-authenticate", r'Basic realm="DD-WRT', "DD-WRT"),
    ("www-authenticate", r'Basic realm="OpenWebif', "OpenWebif"),
    ("www-authenticate", r'Basic realm="tvheadend', "Tvheadend"),
    ("www-authenticate", r'Digest realm="tvheadend', "Tvheadend"),
    ("www-authenticate", r'Basic realm="monit"', "Monit"),
    ("content-security-policy", r".*report-uri [^;]*/api/security/csp-report", "Jupyter"),
    ("set-cookie", r"cockpit=", "Cockpit"),
    ("set-cookie", r"PVEAuthCookie=", "Proxmox VE"),
    ("set-cookie", r"i_like_gitea=", "Gitea"),
    ("set-cookie", r"i_like_forgejo=", "Forgejo"),
    ("set-cookie", r"_gitlab_session=", "GitLab"),
    ("set-cookie", r"phpMyAdmin(?:_https)?=", "phpMyAdmin"),
    ("set-cookie", r"roundcube_sessid=", "Roundcube"),
    ("location", r"[^?]*/solr/", "Solr"),
    ("location", r"/users/sign_in", "GitLab"),
    ("location", r"/transmission/web/", "Transmission"),
    ("location", r"/(?:classic/)?(?:graph|query)$", "Prometheus"),
    ("location", r"/(?:login\?next=%2F)?(?:tree|lab)(?:\?|%3F)", "Jupyter"),
    ("location", r"(?:https?://[^/]+)?/\.web(?:/|$)", "Radicale"),
    ("location", r"[^?]*/manage/account/login", "UniFi"),
    ("location", r"[^?]*/spaces/(?:enter|space_selector)", "Kibana"),
    ("location", r"[^?]*/artifactory/", "Artifactory"),
    ("location", r"[^?]*/cgi-bin/luci", "OpenWrt LuCI"),
)
_BY_FIELD = tuple([(name, re.compile(value, re.IGNORECASE), product) for name, value, product in _FIELDS])

# ------------------------------------------------------------------------------------------------ named by its pages

# Pages whose title is a product's name; where that is not also the product's, the name is given.
_TITLES = {
    "3CX Webclient": "3CX",
    "3CX Phone System Management Console": "3CX",
    "Adminer": None,
    "Airflow": "Apache Airflow",
    "Alertmanager": None,
    "Apache ActiveMQ": "ActiveMQ",
    "Apache Flink Web Dashboard": "Apache Flink",
    "ArgoCD": "Argo CD",
    "Argo CD": None,
    "Blackbox Exporter": None,
    "Consul by HashiCorp": "Consul",
    "Deluge": None,
    "EMQX Dashboard": "EMQX",
    "Emby": None,
    "Fritz!Box": "FRITZ!Box",
    "FRITZ!Box": None,
    "Gerbera Media Server": "Gerbera",
    "Gitea: Git with a cup of tea": "Gitea",
    "Forgejo: Beyond coding. We Forge.": "Forgejo",
    "GitLab": None,
    "Sign in · GitLab": "GitLab",
    "Grafana": None,
    "Graylog Web Interface": "Graylog",
    "Harbor": None,
    "Home Assistant": None,
    "InfluxDB": None,
    "Jaeger UI": "Jaeger",
    "Jellyfin": None,
    "JupyterHub": None,
    "JupyterLab": None,
    "Jupyter Notebook": "Jupyter",
    "Jupyter Server": "Jupyter",
    "Keycloak": None,
    "Kibana": None,
    "Kubernetes Dashboard": None,
    "Lidarr": None,
    "Mailpit": None,
    "MailHog": None,
    "Mattermost": None,
    "MinIO Console": "MinIO",
    "MinIO Browser": "MinIO",
    "MLflow": None,
    "Motion": None,
    "NetBox": None,
    "Nexus Repository Manager": "Nexus Repository",
    "Sonatype Nexus Repository": "Nexus Repository",
    "Nextcloud": None,
    "Node-RED": None,
    "Nomad": None,
    "OPNsense": None,
    "OpenSearch Dashboards": None,
    "openHAB": None,
    "OctoPrint": None,
    "ownCloud": None,
    "pfSense": None,
    "pgAdmin 4": "pgAdmin",
    "phpMyAdmin": None,
    "Pi-hole": None,
    "Portainer": None,
    "Prometheus Pushgateway": "Pushgateway",
    "Prometheus Time Series Collection and Processing Server": "Prometheus",
    "Prometheus Server": "Prometheus",
    "Prowlarr": None,
    "qBittorrent Web UI": "qBittorrent",
    "qBittorrent": None,
    "RabbitMQ Management": "RabbitMQ",
    "Radarr": None,
    "Radicale Web Interface": "Radicale",
    "Rancher": None,
    "Rocket.Chat": None,
    "RouterOS router configuration page": "MikroTik RouterOS",
    "Roundcube Webmail": "Roundcube",
    "SABnzbd": None,
    "Selenium Grid": None,
    "Solr Admin": "Solr",
    "Sonarr": None,
    "SonarQube": None,
    "Sentry": None,
    "Syncthing": None,
    "Synology DiskStation": "Synology DSM",
    "TeamCity": None,
    "Traefik": None,
    "Transmission Web Interface": "Transmission",
    "Transmission": None,
    "Tvheadend": None,
    "UniFi Network": "UniFi",
    "UniFi OS": "UniFi",
    "Uptime Kuma": None,
    "Vault": None,
    "Vaultwarden Web": "Vaultwarden",
    "VMware ESXi": None,
    "Zabbix": None,
    "Zipkin": None,
    "ttyd - Terminal": "ttyd",
    "noVNC": None,
    "XWiki": None,
}
_BY_TITLE = {title.lower(): product or title for title, product in _TITLES.items()}
_TITLE = re.compile(rb"<title(?: [^>]{0,200})?>\s*([^<]{1,200}?)\s*</title>", re.IGNORECASE)

# What else on a page, or in a document, nobody but the product says. The order counts: what is special comes first.
_PAGES = (
    (rb'"tagline"\s*:\s*"The OpenSearch Project', "OpenSearch"),
    (rb'"number"\s*:\s*"([^"]+)"[^}]{0,500}\}\s*,\s*"tagline"\s*:\s*"You Know, for Search"', "Elasticsearch"),
    (rb'"tagline"\s*:\s*"You Know, for Search"', "Elasticsearch"),
    (rb'\A\s*\{"couchdb":"Welcome","version":"([^"]+)"', "CouchDB"),
    (rb'\A\s*\{"etcdserver":"([^"]+)"', "etcd"),
    (rb'"kind"\s*:\s*"Status",\s*"apiVersion"\s*:\s*"v1",\s*"metadata"', "Kubernetes"),
    (rb'"gitVersion"\s*:\s*"v([^"]+)"[^}]{0,300}"goVersion"', "Kubernetes"),
    (rb'"Name":"Engine","Version":"([^"]+)"', "Docker"),
    (rb'\A\s*\{"message":"page not found"\}', "Docker"),
    (rb'"status":"success","data":\{"version":"([^"]+)","revision"', "Prometheus"),
    (rb'\A\s*\{[^}]{0,200}"database"\s*:\s*"ok"[^}]{0,100}"version"\s*:\s*"([^"]+)"', "Grafana"),
    (rb'"Config":\{"Datacenter":[^}]*"Version":"([^"]+)"', "Consul"),
    (rb'"errors":\["missing client token"\]', "Vault"),
    (rb'"Tags":\{[^}]{0,400}"build":"([^"]+)"[^}]{0,400}"role":"nomad"', "Nomad"),
    (rb'"build_information":\{[^}]{0,300}"version":"([^"]+)"', "Pushgateway"),
    (rb'"versionInfo":\{[^}]{0,300}"version":"([^"]+)"', "Alertmanager"),
    (rb'"solr-spec-version":"([^"]+)"', "Solr"),
    (rb"<title>Deluge WebUI ([0-9][\w.]*)</title>", "Deluge"),
    (rb"<title>Supervisor Status</title>(?:(?s:.){0,6000}Supervisor</a> <span>([0-9][\w.]*))?", "Supervisor"),
    (rb"(?s)<title>Shell In A Box</title>.{0,999}Check that our URL", "Shell In A Box"),
    (rb"<footer>nghttpx</footer>", "nghttpx"),
    (rb'\A\s*\{"initialized":(?:true|false),"sealed":[^}]*"version":"([^"]+)"', "Vault"),
    (rb'\A\s*\{[^}]*"ProductName":"Jellyfin Server"', "Jellyfin"),
    (rb'"Version":"([0-9.]+)","ProductName":"Jellyfin Server"', "Jellyfin"),
    (rb'"neo4j_version"\s*:\s*"([^"]+)"', "Neo4j"),
    (rb'\A\s*\{"server":"arango"[^}]*"version":"([^"]+)"', "ArangoDB"),
    (rb'"title":"qdrant[^}]*"version":"([^"]+)"', "Qdrant"),
    (rb"\AJSONRPC server handles only POST requests", "Bitcoin Core"),
    (rb"\AOllama is running", "Ollama"),
    (rb"\A(?:Ok\.\n|4\r\nOk\.\n)", "ClickHouse"),  # its http_server_default_response
    (rb"\AWebSockets request was expected", "Node.js inspector"),
    (rb"Host header is specified and is not an IP address or localhost\.", "Chrome DevTools"),
    (rb"<title>(?:Inspectable pages|Headless remote debugging)</title>", "Chrome DevTools"),
    (rb"<h3>Apache Tomcat(?:/([0-9][\w.-]*))?", "Apache Tomcat"),
    (rb"<title>Apache Tomcat(?:/([0-9][\w.-]*))?", "Apache Tomcat"),
    (rb"<(?:hr|small|a|i)[^>]{0,99}>(?:<[^>]{1,99}>)?Powered by Jetty:// ?([0-9][\w.-]*)?", "Jetty"),
    (rb"(?i)<title>[^<]{0,99} - CUPS v?([0-9][\w.]*)</title>", "CUPS"),
    (rb"<address>Apache(?:/([0-9][\w.]*))?[^<]{0,200}Server at ", "Apache"),
    (rb"<hr><center>(?:nginx/([0-9][\w.]*)|nginx)</center>", "nginx"),
    (rb"<hr><center>openresty(?:/([0-9][\w.]*))?</center>", "openresty"),
    (rb"<hr><center>Tengine(?:/([0-9][\w.]*))?", "Tengine"),
    (rb"<h1>503 Service Unavailable</h1>\nNo server is available to handle this request\.", "HAProxy"),
    (rb"<h1>400 Bad request</h1>\nYour browser sent an invalid request\.", "HAProxy"),
    (rb"<h1>408 Request Time-out</h1>\nYour browser didn't send a complete request in time\.", "HAProxy"),
    (rb"<h1>403 Forbidden</h1>\nRequest forbidden by administrative rules\.", "HAProxy"),
    (rb"<h1>502 Bad Gateway</h1>\nThe server returned an invalid or incomplete response\.", "HAProxy"),
    (rb"<h1>504 Gateway Time-out</h1>\nThe server didn't respond in time\.", "HAProxy"),
    (rb"<p>Varnish cache server</p>", "Varnish"),
    (rb"Generated [^<]{1,99} by [^<(]{1,99} \(squid/([0-9][\w.]*)\)", "squid"),
    (rb"\bPrivoxy ([0-9][\w.]*) on ", "Privoxy"),
    (rb"<H1>404 Not Found</H1>\nThe requested URL was not found\n</BODY></HTML>\n\Z", "BusyBox httpd"),
    (rb"<H1>400 Bad Request</H1>\nUnsupported method\n</BODY></HTML>\n\Z", "BusyBox httpd"),
    (rb"\AInvalid header received from client\.\n", "Privoxy"),
    (rb"\AHost check error\n", "Syncthing"),
    (rb"no healthy upstream\Z|upstream connect error or disconnect/reset before headers", "Envoy"),
    (rb'\A\s*\{\s*"server_id":[^}]{0,400}"version": ?"([^"]+)"', "NATS"),
    (rb'href="https://nats\.io/favicon\.ico"', "NATS"),
    (rb"Powered by Gitea\b(?:(?s:.){0,200}?Version: ?([0-9][\w.+-]*))?", "Gitea"),
    (rb"Powered by Forgejo\b(?:(?s:.){0,200}?Version: ?([0-9][\w.+-]*))?", "Forgejo"),
    (rb'content="go,git,self-hosted,gitea"', "Gitea"),
    (rb'"buildInfo":\{[^}]{0,600}"version":"([0-9][\w.+-]*)"[^}]{0,600}\}(?s:.){0,8000}grafana', "Grafana"),
    (rb'<meta name="generator" content="WordPress(?: ([0-9][\w.]*))?"', "WordPress"),
    (rb"<meta name=[\"']generator[\"'] content=[\"']cgit v([0-9][\w.]*)[\"']", "cgit"),
    (rb'<meta name="generator" content="MediaWiki ([0-9][\w.]*)"', "MediaWiki"),
    (rb'<meta name="Generator" content="Drupal ([0-9]+)', "Drupal"),
    (rb'<meta name="generator" content="Joomla', "Joomla"),
    (rb"<title>RouterOS[^<]*</title>|<h1>RouterOS v([0-9][\w.]*)</h1>", "MikroTik RouterOS"),
    (rb"<title>[^<]{0,99}Proxmox Virtual Environment</title>", "Proxmox VE"),
    (rb"<title>[^<]{0,99}Synology[^<]{0,99}</title>", "Synology DSM"),
    (rb"<h1>Whitelabel Error Page</h1>", "Spring Boot"),
    (rb"<title>The install worked successfully! Congratulations!</title>", "Django"),
    (rb"<title>DisallowedHost\s+at /</title>", "Django"),
    (rb"Sinatra doesn(?:&rsquo;|\xe2\x80\x99)t know this ditty", "Sinatra"),
    (rb"<title>Werkzeug Debugger</title>|// Werkzeug Debugger", "Werkzeug"),
    (rb"<h2>Invalid Hostname</h2>|<p>HTTP Error 400\. The request hostname is invalid\.", "Microsoft-HTTPAPI"),
    (rb"<pre>Cannot GET /</pre>", "Express"),
    (rb'\A\{"message":"Route GET:/ not found","error":"Not Found","statusCode":404\}', "Fastify"),
    (rb"<ListAllMyBucketsResult[^>]*><Owner><ID>anonymous</ID>", "Ceph Object Gateway"),
    (rb"This is (?:the )?[Ii]2P HTTP [Pp]roxy|<title>I2P[^<]*</title>", "I2P"),
    (rb"<title>Purple I2P[^<]*</title>", "i2pd"),
    (rb"<title>Mercurial repositories index</title>", "Mercurial"),
    (rb"This is a [Ff]ossil|href=\"https?://(?:www\.)?fossil-scm\.org/", "Fossil"),
)
_BY_PAGE = tuple([(re.compile(content), product) for content, product in _PAGES])
_EXPORTER = re.compile(rb"<title>([A-Z][A-Za-z]* Exporter)</title>")  # those of Prometheus' own toolkit

# ------------------------------------------------------------------------------------ named by the general fields

_TOKEN = re.compile(  # RFC 9110, section 10.2.4; some put a space before the version, Jetty brackets
    r"([A-Za-z][^\s/();,]*(?: [A-Za-z][^\s/();,]*)*)(?:(?:[/ ]|\()v?([0-9][^\s/();,]*)\)?)?"
)
_MADE_OF = frozenset(
    {"cpython", "deno", "linux", "microsoft-windows-nt", "node.js", "openssl", "perl", "php", "posix", "pypy", "python"}
    | {"ruby", "unix", "upnp", "debian", "ubuntu", "unspecified", "dlnadoc", "windows", "darwin", "freebsd", "java"}
)
"""Words of a Server field that tell what the product is made of or runs on."""
_CALLED = {
    "Apache-Coyote": "Apache Tomcat",
    "ATS": "Apache Traffic Server",
    "CPS": "ArubaOS",
    "envoy": "Envoy",
    "istio-envoy": "Envoy",
    "MiniServ": "Webmin",
    "pve-api-daemon": "Proxmox VE",
}
"""What calls itself by another name than everybody else does."""
_VERSION_OF_A_PART = frozenset({"Apache-Coyote", "pve-api-daemon"})
"""Where the version is not that of the whole."""
_FRONTS = frozenset(
    {"Apache", "Apache Traffic Server", "Caddy", "Envoy", "HAProxy", "LiteSpeed", "Microsoft-IIS", "Tengine"}
    | {"Varnish", "cloudflare", "h2o", "lighttpd", "nghttpx", "nginx", "openresty", "squid"}
)
"""Servers that pass questions on to others. What they name themselves counts before what lies behind them."""
_VIA = re.compile(r"(?:[\w-]+/)?[12](?:\.\d)? [^\s,()]+ \(([A-Za-z][\w -]*)/([0-9][^\s()]*)\)\s*\Z")  # RFC 9110, 7.6.3
_POWERED = re.compile(
    r"(PHP|Express|ASP\.NET|Next\.js|Undertow|Servlet|Phusion Passenger)\b[^/,;]{0,9}(?:[/ ]([0-9][\w.+-]*))?"
)
_GO_REFUSES = b"400 Bad Request"
_GO_SAYS_NO_MORE = {"connection", "content-type"}
_GO_FINDS_NOTHING = b"404 page not found\n"

# Where a product is known, or likely, and its version is not: what tells it, to anybody and without a login.
_ASK_NEXT = {
    "Alertmanager": "/api/v2/status",
    "Go net/http": "/version",
    "Grafana": "/api/health",
    "Jellyfin": "/System/Info/Public",
    "Jupyter": "/api",
    "Kubernetes": "/version",
    "NATS": "/varz",
    "Ollama": "/api/version",
    "Prometheus": "/api/v1/status/buildinfo",
    "Pushgateway": "/api/v1/status",
    "Solr": "/solr/admin/info/system",
}
_VERSION_ALONE = re.compile(rb'\s*\{"version": ?"([0-9][^"]{0,60})"\}\s*\Z')

_WANTED = frozenset({"401", "407"})  # RFC 9110, sections 15.5.2 and 15.5.8
_GUARDED = {
    # product, and what was asked for: the responses to it that only those get who are let in
    ("Docker", ""): ("200", "404"),  # docs.docker.com, "Protect the Docker daemon socket"
    ("Elasticsearch", ""): ("200",),  # elastic.co, "Set up minimal security"
    ("OpenSearch", ""): ("200",),  # docs.opensearch.org, "Authentication"
    ("Solr", "/solr/admin/info/system"): ("200",),  # solr.apache.org, "Authentication and Authorization Plugins"
}
"""Where everybody is let in, these answer so. CouchDB welcomes strangers in any case, and etcd tells its version."""


def authentication_of(response: Response, product: str | None, path: str) -> Authentication | None:
    """Tell whether a response wants authentication, or is one that a product would have wanted it for."""
    if response.status in _WANTED:
        return "required"
    return "none" if response.status in _GUARDED.get((product or "", path), ()) else None


def product_of(response: Response) -> Product | None:
    """Return the product that a response names: the one that we talk to, not one behind it."""
    told = _server(response.fields.get("server", ""))
    through = _VIA.match(response.fields.get("via", "").rpartition(",")[2].strip())
    if through is not None:
        return Product(_CALLED.get(through[1], through[1]), through[2])
    if told is not None and is_front(told):
        return told
    own = own_words(response)
    if own is None:
        return told or _powered(response) or _go(response)
    if told is not None and told.name == own.name:
        return Product(own.name, own.version or told.version)
    return own


def own_words(response: Response) -> Product | None:
    """Return the product that a response names by what nobody else says."""
    for name, value, product in _BY_FIELD:
        found = value.match(response.fields.get(name, "")) if name in response.fields else None
        if found is not None:
            return Product(product, found[1] if found.re.groups else None)
    title = _TITLE.search(response.content)
    if title is not None and (called := _BY_TITLE.get(title[1].decode("utf-8", "replace").lower())) is not None:
        return _versioned(called, response)
    exporter = _EXPORTER.search(response.content)
    if exporter is not None and b"/metrics" in response.content:
        return Product(text_of(exporter[1]))
    return _versioned(None, response)


def on_path(path: str, response: Response) -> Product | None:
    """Return what the answer for a path tells, which was asked because of what a product is likely to have there."""
    told = own_words(response)
    alone = _VERSION_ALONE.match(response.content)
    asked = next((product for product, where in _ASK_NEXT.items() if where == path), None)
    return Product(asked, text_of(alone[1])) if told is None and alone is not None and asked is not None else told


def _versioned(called: str | None, response: Response) -> Product | None:
    """Return what the content names; where a name is known already, only the version is of use."""
    for content, product in _BY_PAGE:
        found = content.search(response.content)
        if found is not None and product is not None and called in {None, product}:
            version = found[1] if found.re.groups else None
            return Product(product, None if version is None else text_of(version))
    return None if called is None else Product(called)


def is_front(product: Product) -> bool:
    """Tell whether a product is one that others stand behind."""
    return product.name in _FRONTS


def ask_next(response: Response, product: Product | None) -> str | None:
    """Return the path that would tell more, where there is one."""
    fields = response.fields
    if product is not None and product.name != "Go net/http":
        return None if product.version else _ASK_NEXT.get(product.name)
    if re.match(r"/ui/?$", fields.get("location", "")):
        return "/v1/agent/self"  # Consul, Nomad and Vault
    if response.status == "200" and fields.get("content-length") == "0" and fields.get("cache-control") == "no-cache":
        return "/v2/"  # a registry of containers
    return None if product is None else _ASK_NEXT[product.name]


def _server(server: str) -> Product | None:
    """Return the first product of a Server field that is not only what the product is made of."""
    found = [match.groups() for match in _TOKEN.finditer(re.sub(r"(?<=\s)\([^)]*\)", "", server))]
    for told, version in found:
        words = told.split()
        own = " ".join([word for word in words if word.lower() not in _MADE_OF])
        if own:  # in "WebSockify Python/3.11" the version is the language's
            is_its = words[-1].lower() not in _MADE_OF and own not in _VERSION_OF_A_PART
            return Product(_CALLED.get(own, own), version if is_its else None)
    return Product(*found[0]) if found else None


def _powered(response: Response) -> Product | None:
    """Return what a program says that it runs on, where no Server field tells."""
    found = _POWERED.match(response.fields.get("x-powered-by", ""))
    if found is None and "host" in response.fields and "date" in response.fields:
        return Product("PHP")  # its own server gives back the Host field
    return None if found is None else Product(found[1], found[2])


def _go(response: Response) -> Product | None:
    """Return Go's net/http, which refuses in words of its own."""
    lost = response.status == "404" and response.content == _GO_FINDS_NOTHING
    bad = response.status == "400" and response.content == _GO_REFUSES
    ours = response.fields.get("content-type") == "text/plain; charset=utf-8"
    sure = "x-content-type-options" in response.fields if lost else bad and response.fields.keys() == _GO_SAYS_NO_MORE
    return Product("Go net/http") if ours and sure else None
