"""Settings. Development listens on http://localhost:8000."""
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("SECRET_KEY", "insecure-8080")
DEBUG = True
ALLOWED_HOSTS = ["localhost", ".example.test"]
CSRF_TRUSTED_ORIGINS = ["http://localhost:8080", "https://shop.example.test:8443"]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shop",
        "HOST": os.environ.get("DB_HOST", "localhost"),
        "PORT": os.environ.get("DB_PORT", "5433"),
        "CONN_MAX_AGE": 3600,
        "OPTIONS": {"connect_timeout": 5000},
    },
    "replica": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": "replica.example.test",
        "PORT": 3307,
    },
}

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:6379/1",
        "TIMEOUT": 8080,
    },
    "sessions": {
        "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
        "LOCATION": ["192.0.2.24:11211", "192.0.2.25:11212"],
    },
}

EMAIL_HOST = "smtp.example.test"
EMAIL_PORT = 587
# EMAIL_PORT = 465
CELERY_BROKER_URL = os.getenv("BROKER_URL", "amqp://guest:guest@localhost:5672//")
DATA_UPLOAD_MAX_MEMORY_SIZE = 5242880
DATA_UPLOAD_MAX_NUMBER_FIELDS = 3000
SESSION_COOKIE_AGE = 1209600
SUPPORT_ROOM = 8443
