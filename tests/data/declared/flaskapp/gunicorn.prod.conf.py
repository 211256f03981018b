import os

bind = f"0.0.0.0:{os.environ.get('PORT', '8015')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
graceful_timeout = 30
limit_request_line = 8190
