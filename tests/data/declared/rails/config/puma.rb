# Puma's settings. The default of `port` is 9292.
max_threads_count = ENV.fetch("RAILS_MAX_THREADS") { 5 }
threads max_threads_count, max_threads_count

worker_timeout 3600 if ENV.fetch("RAILS_ENV", "development") == "development"

port ENV.fetch("PORT") { 3000 }
# port 3001
bind "unix:///run/rails/3002.sock"
bind 'ssl://0.0.0.0:9293?key=config/key.pem&cert=config/cert.pem'
activate_control_app "tcp://127.0.0.1:9294", { auth_token: "12345" }

environment ENV.fetch("RAILS_ENV") { "development" }
workers ENV.fetch("WEB_CONCURRENCY") { 2 }
preload_app!
plugin :tmp_restart
