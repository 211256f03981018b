"""The programs of the scenario: real servers of Debian packages on their usual ports, and clients that stay connected.

Each is at home in a folder of its name below /srv, and starts there in the foreground.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

POSTGRESQL = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))


class Program(NamedTuple):
    """A program of a package: what it holds and dials, and how it is started in a folder of its own.

    `files` are written and `before` is run there first. It becomes as many `processes` as that. One that is `apart` has
    a network of its own.
    """

    package: str
    command: str
    holds: tuple[str, ...] = ()
    dials: tuple[str, ...] = ()
    files: Mapping[str, str] = {}
    before: str = ""
    user: str = "root"
    unit: str = ""
    processes: int = 1
    apart: bool = False


EXIM = """
keep_environment =
primary_hostname = mail.test
spool_directory = /srv/exim4/spool
log_file_path = /srv/exim4/%slog
pid_file_path = /srv/exim4/pid
local_interfaces = <; [127.0.0.1]:25; [::1]:25; [127.0.0.1]:2528; [10.23.0.1]:587
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = accept
begin acl
begin routers
begin transports
begin retry
"""

NGINX = """
daemon off; pid nginx.pid; error_log nginx.log; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path 1; proxy_temp_path 2; fastcgi_temp_path 3; uwsgi_temp_path 4; scgi_temp_path 5;
  server { listen 80; listen [::]:80; listen 127.0.0.1:8180 reuseport; root /srv/nginx; }
}
"""

KAMAILIO = """#!KAMAILIO
debug=0
log_stderror=yes
children=1
tcp_children=1
listen=udp:10.23.0.1:5060
listen=tcp:10.23.0.1:5060
loadmodule "sl.so"
request_route { sl_send_reply("200", "OK"); }
"""

HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend statistics
  bind 127.0.0.1:8404
  stats enable
frontend shops
  bind 10.23.0.1:8000-8002
  http-request return status 200
"""

CADDY = """
{
  admin 127.0.0.1:2019
  auto_https off
}
http://:8090 {
  respond "chart"
}
"""

MOSQUITTO = """
listener 1883 0.0.0.0
listener 1883 ::
allow_anonymous true
user nobody
"""

UNBOUND = """
server:
  interface: 127.0.0.1
  port: 5335
  chroot: ""
  directory: /srv/unbound
  pidfile: ""
  username: ""
  use-syslog: no
  num-threads: 1
  do-daemonize: no
"""

NGIRCD = """
[Global]
Name = irc.test
Info = irc
Listen = 10.23.0.1,fd23::1
Ports = 6667
ServerUID = nobody
ServerGID = nogroup
[Limits]
[Options]
PAM = no
Ident = no
DNS = no
"""

SLAPD = """
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile /srv/slapd/pid
database mdb
suffix "dc=test"
directory /srv/slapd
"""

EXPORTER = """
import http.server
http.server.ThreadingHTTPServer(("0.0.0.0", 9100), http.server.BaseHTTPRequestHandler).serve_forever()
"""

DIAL = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
connection.recv(1 << 16)
while True:
    sys.stdin.read()
"""

PROGRAMS = {
    "sshd": Program(
        "openssh-server",
        "/usr/sbin/sshd -D -e -f /dev/null -h /srv/sshd/key -o Port=22 -o UsePAM=no -o PidFile=none",
        ("tcp 0.0.0.0:22", "tcp [::]:22"),
        before="test -e key || ssh-keygen -q -t ed25519 -N '' -f key",
    ),
    "nginx": Program(
        "nginx-light",
        "/usr/sbin/nginx -p /srv/nginx -c nginx.conf -e nginx.log",
        ("tcp 0.0.0.0:80", "tcp [::]:80", "tcp 127.0.0.1:8180"),
        files={"nginx.conf": NGINX},
        processes=2,
    ),
    "exim4": Program(
        "exim4-daemon-light",
        "/usr/sbin/exim4 -C /srv/exim4/exim.conf -bdf",
        ("tcp 127.0.0.1:25", "tcp [::1]:25", "tcp 127.0.0.1:2528", "tcp 10.23.0.1:587"),
        files={"exim.conf": EXIM},
        before="chmod 777 .",
    ),
    "postgresql": Program(
        "postgresql",
        f"{POSTGRESQL}/postgres -D data -c listen_addresses=127.0.0.1,::1 -k /srv/postgresql",
        ("tcp 127.0.0.1:5432", "tcp [::1]:5432"),
        before=f"test -e data || {POSTGRESQL}/initdb -D data -A trust -U postgres -N --no-instructions",
        user="postgres",
    ),
    "redis": Program(
        "redis-server",
        "/usr/bin/redis-server --bind 127.0.0.1 ::1 --save ''",
        ("tcp 127.0.0.1:6379", "tcp [::1]:6379"),
        user="redis",
    ),
    "memcached": Program(
        "memcached",
        "/usr/bin/memcached -l 127.0.0.1 -p 11211 -U 0",
        ("tcp 127.0.0.1:11211",),
        user="nobody",
    ),
    "dnsmasq": Program(
        "dnsmasq-base",
        "/usr/sbin/dnsmasq -k -C /dev/null -R -h -u root -8 - --pid-file= --bind-interfaces --except-interface=lo"
        " --listen-address=10.23.0.1,fd23::1",
        ("tcp 10.23.0.1:53", "tcp [fd23::1]:53", "udp 10.23.0.1:53", "udp [fd23::1]:53"),
    ),
    "unbound": Program(
        "unbound",
        "/usr/sbin/unbound -d -c unbound.conf",
        ("tcp 127.0.0.1:5335", "udp 127.0.0.1:5335"),
        files={"unbound.conf": UNBOUND},
    ),
    "mosquitto": Program(
        "mosquitto",
        "/usr/sbin/mosquitto -c m.conf",
        ("tcp 0.0.0.0:1883", "tcp [::]:1883"),
        files={"m.conf": MOSQUITTO},
    ),
    "kamailio": Program(
        "kamailio",
        "/usr/sbin/kamailio -DD -E -m 16 -M 4 -Y /srv/kamailio -P /srv/kamailio/pid -f k.cfg",
        ("tcp 10.23.0.1:5060", "udp 10.23.0.1:5060"),
        files={"k.cfg": KAMAILIO},
    ),
    "haproxy": Program(
        "haproxy",
        "/usr/sbin/haproxy -db -f h.cfg",
        ("tcp 127.0.0.1:8404", "tcp 10.23.0.1:8000", "tcp 10.23.0.1:8001", "tcp 10.23.0.1:8002"),
        files={"h.cfg": HAPROXY},
    ),
    "caddy": Program(
        "caddy",
        "/usr/bin/caddy run --config Caddyfile --adapter caddyfile",
        ("tcp *:8090", "tcp 127.0.0.1:2019"),
        files={"Caddyfile": CADDY},
    ),
    "vsftpd": Program(
        "vsftpd",
        "/usr/sbin/vsftpd v.conf",
        ("tcp *:21",),
        files={"v.conf": "listen=NO\nlisten_ipv6=YES\nbackground=NO\nsecure_chroot_dir=/srv/vsftpd\n"},
    ),
    "lighttpd": Program(
        "lighttpd",
        "/usr/sbin/lighttpd -D -f l.conf",
        ("tcp 127.0.0.1:8081", "tcp [::1]:8081"),
        files={
            "l.conf": 'server.document-root = "/srv/lighttpd"\nserver.port = 8081\nserver.bind = "127.0.0.1"\n'
            '$SERVER["socket"] == "[::1]:8081" {}\n'
        },
        user="www-data",
    ),
    "tinyproxy": Program(
        "tinyproxy-bin",
        "/usr/bin/tinyproxy -d -c t.conf",
        ("tcp 10.23.0.1:8888",),
        files={"t.conf": "Port 8888\nListen 10.23.0.1\nTimeout 60\nAllow 10.23.0.0/24\n"},
        user="nobody",
    ),
    "dropbear": Program(
        "dropbear-bin",
        "/srv/dropbear/dropbear -F -E -r key -p 2222 -P ''",
        ("tcp 0.0.0.0:2222", "tcp [::]:2222"),
        before="cp -n /usr/sbin/dropbear . && (test -e key || dropbearkey -t ed25519 -f key)",
    ),
    "snmpd": Program(
        "snmpd",
        "/usr/sbin/snmpd -f -Lo -C -c s.conf -I -smux -p /srv/snmpd/pid udp:161 udp6:161",
        ("udp 0.0.0.0:161", "udp [::]:161"),
        files={"s.conf": "rocommunity public\n"},
    ),
    "rsync": Program(
        "rsync",
        "/usr/bin/rsync --daemon --no-detach --config=r.conf",
        ("tcp 0.0.0.0:873", "tcp [::]:873"),
        files={"r.conf": "use chroot = no\nlog file = log\n[chart]\npath = /srv/rsync\n"},
    ),
    "ngircd": Program(
        "ngircd",
        "/usr/sbin/ngircd -n -f n.conf",
        ("tcp 10.23.0.1:6667", "tcp [fd23::1]:6667"),
        files={"n.conf": NGIRCD},
    ),
    "stunnel": Program(
        "stunnel4",
        "/usr/bin/stunnel4 s.conf",
        ("tcp 10.23.0.1:6380",),
        files={
            "s.conf": "foreground = yes\npid =\n[redis]\naccept = 10.23.0.1:6380\nconnect = 127.0.0.1:6379\n"
            "cert = pair.pem\n"
        },
        before="test -e pair.pem || openssl req -x509 -newkey ed25519 -nodes -subj /CN=test -keyout pair.pem"
        " -out pair.pem",
    ),
    "slapd": Program(
        "slapd",
        "/usr/sbin/slapd -d 0 -f s.conf -h ldap://127.0.0.1:389",
        ("tcp 127.0.0.1:389",),
        files={"s.conf": SLAPD},
    ),
    "tftpd": Program("tftpd-hpa", "/usr/sbin/in.tftpd -L -s -a 0.0.0.0:69 /srv/tftpd", ("udp 0.0.0.0:69",)),
    "exporter": Program(
        "python3-minimal",
        "/usr/bin/python3 /srv/exporter/exporter.py",
        ("tcp 0.0.0.0:9100",),
        files={"exporter.py": EXPORTER},
        user="nobody",
    ),
    "psql": Program(
        "postgresql",
        f"{POSTGRESQL}/psql -h 127.0.0.1 -U postgres",
        dials=("127.0.0.1:5432",),
        user="postgres",
    ),
    "redis-cli": Program("redis-tools", "/usr/bin/redis-cli -h 127.0.0.1", dials=("127.0.0.1:6379",), user="nobody"),
    "3cx": Program(
        "bash",
        "/srv/3cx/3CXGatewayService -c 'exec 3<>/dev/tcp/127.0.0.1/2528; read -r -u 3; read -r'",
        dials=("127.0.0.1:2528",),
        before="cp -n /bin/bash 3CXGatewayService",
    ),
    "python": Program(
        "python3-minimal",
        "/usr/bin/python3 /srv/python/dial.py 127.0.0.1 6379",
        dials=("127.0.0.1:6379",),
        files={"dial.py": DIAL},
        user="nobody",
    ),
}
