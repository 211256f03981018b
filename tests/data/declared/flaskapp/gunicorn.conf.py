"""Gunicorn's settings; see https://docs.example.com:8443/gunicorn."""
import os

bind = ["0.0.0.0:8012", "[::1]:8013", "unix:/run/gunicorn/8014.sock"]
# bind = "127.0.0.1:9999"
workers = 4
timeout = 8080
max_requests = 3000
max_requests_jitter = 50
backlog = 2048
statsd_host = "localhost:8125"
raw_env = ["DATABASE_URL=" + os.environ.get("DATABASE_URL", "postgresql://localhost:5432/flask")]
