"""Settings of a Rails application."""

from __future__ import annotations

from portulan.observe.declared import rails
from tests.observe.declared.reading import found_in


def test_puma() -> None:
    """Ports and binds, with the defaults beside variables; threads, tokens, times and documentation are quiet."""
    text = """\
# port 1
threads_count = ENV.fetch("RAILS_MAX_THREADS") { 5 }
threads threads_count, 5
port ENV.fetch("PORT") { 3000 }
bind "tcp://0.0.0.0:9292"
bind "tcp://0.0.0.0:#{ENV.fetch("APP_PORT") { 9_293 }}"
ssl_bind '0.0.0.0', '9294', { key: "x" }
activate_control_app 'tcp://127.0.0.1:9295', { auth_token: '12345' }
admin = ENV["ADMIN"] || 9296
port admin
port ENV["PORT"]
worker_timeout 3600 if ENV.fetch("RAILS_ENV", "development") == "development"
bind "unix:///run/a.sock"
=begin
port 7
=end
port(
  9297
)
"""
    assert found_in(rails, text, "config/puma.rb") == [
        "4 published 3000",
        "5 published 9292 on 0.0.0.0",
        "6 published 9293 on 0.0.0.0",
        "7 published 9294",
        "8 published 9295 on 127.0.0.1",
        "9 published 9296",
        "18 published 9297",
    ]


def test_database() -> None:
    """ERB gives its default, what is merged counts once, pools and times are quiet."""
    text = """\
default: &default
  adapter: postgresql
  pool: <%= ENV.fetch("RAILS_MAX_THREADS") { 5 } %>
  port: <%= ENV.fetch("DB_PORT", 5433) %>
  timeout: 5000
<% if true %>
development:
  <<: *default
  url: <%= ENV["DATABASE_URL"] || "postgres://db:5432/x" %>
<% end %>
test:
  <<: *default
  # port: 9
  port: 5434
  host: <%= ENV["HOST"] %>
"""
    assert found_in(rails, text, "config/database.yml") == [
        "4 dialled 5433",
        "9 dialled 5432 on db",
        "14 dialled 5434",
    ]


def test_cable() -> None:
    """A URL is dialled, whole or in parts."""
    text = """\
production:
  url: <%= ENV.fetch("REDIS_URL") { "redis://localhost:6379/1" } %>
test:
  url: redis://<%= ENV["HOST"] %>:<%= ENV["P"] || 6380 %>/1
"""
    assert found_in(rails, text, "config/cable.yml") == ["2 dialled 6379 on localhost", "4 dialled 6380"]


def test_environments() -> None:
    """What a configuration hands on in links is quiet, where it sends mail and keeps its cache is dialled."""
    text = """\
Rails.application.configure do
  config.cache_store = :redis_cache_store, { url: ENV.fetch("REDIS_URL", "redis://localhost:6381/1") }
  config.action_mailer.default_url_options = { host: "localhost", port: 3000 }
  config.action_mailer.smtp_settings = {
    address: "smtp.example.com",
    port: 587,
  }
  config.hosts << "localhost:3000"
end
"""
    assert found_in(rails, text, "config/environments/production.rb") == [
        "2 dialled 6381 on localhost",
        "6 dialled 587",
    ]


def test_bin_dev() -> None:
    """A script of a shell, or of Ruby."""
    text = '#!/usr/bin/env sh\n# port 1\nexport PORT="${PORT:-3000}"\nexec foreman start -f Procfile.dev -p 3100 "$@"\n'
    assert rails.recognise(text, "bin/dev")
    assert found_in(rails, text, "bin/dev") == ["3 published 3000", "4 published 3100"]
    text = '#!/usr/bin/env ruby\nENV["PORT"] ||= "3000"\nexec "./bin/rails", "server", *ARGV\n'
    assert found_in(rails, text, "bin/dev") == ["2 published 3000"]


def test_names() -> None:
    """A file is told by its place and name."""
    assert all(rails.recognise("", name) for name in ("config/database.yml", "a/config/redis.yml", "puma.rb"))
    assert not rails.recognise("apiVersion: v1\nkind: Secret\n", "config/database.yml")
    assert not any(rails.recognise("", name) for name in ("redis.yml", "config/locales/en.yml", "app/a.rb", "bin/dev"))
