"""Settings, read from the environment by typed readers that fail loudly."""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = Path(__file__).resolve().parent.parent

MODES = ("production", "demo", "drill", "test")


def _mode() -> str:
    mode = os.environ.get("BIHUAN_MODE", "production")
    if mode not in MODES:
        raise SystemExit(f"BIHUAN_MODE is {mode!r}; it must be one of {', '.join(MODES)}.")
    return mode


def _database(url: str, *, role: str) -> dict[str, Any]:
    parts = urlparse(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise SystemExit(f"DATABASE_URL must start with postgresql://, not {parts.scheme!r}.")
    options: dict[str, Any] = {}
    if role == "door":
        options["options"] = "-c role=bihuan_door"
    host = unquote(parts.hostname or "")
    for pair in (parts.query or "").split("&"):
        key, _, val = pair.partition("=")
        if key == "host":
            host = unquote(val)
    test: dict[str, Any] = {}
    if os.environ.get("BIHUAN_TEST_DB"):
        test["NAME"] = os.environ["BIHUAN_TEST_DB"]
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/") or "bihuan",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
        "TEST": test,
    }


BIHUAN_MODE = _mode()
BIHUAN_HOME = Path(
    os.environ.get("BIHUAN_HOME")
    or ("/var/lib/bihuan" if hasattr(os, "geteuid") and os.geteuid() == 0 else Path.home() / ".local/share/bihuan")
)
BIHUAN_PACKS = [ROOT / "packs"]
DATABASE_ROLE = os.environ.get("BIHUAN_DB_ROLE", "owner")

SECRET_KEY = os.environ.get("BIHUAN_SECRET_KEY") or secrets.token_urlsafe(48)
DEBUG = False
ALLOWED_HOSTS = os.environ.get("BIHUAN_HOSTS", "localhost,127.0.0.1,[::1],testserver").split(",")

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "pgtrigger",
    "pghistory",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "procrastinate.contrib.django",
    "django_htmx",
    "bihuan.registry",
    "bihuan.policy",
    "bihuan.loops",
    "bihuan.cases",
    "bihuan.tracing",
    "bihuan.care",
    "bihuan.drill",
    "bihuan.doors.exchange",
    "bihuan.doors.web",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "bihuan.registry.middleware.ScopeMiddleware",  # opens the transaction a scope holds in
    "axes.middleware.AxesMiddleware",  # last: turns a lockout met inside into its answer
]

ROOT_URLCONF = "bihuan.config.urls"
WSGI_APPLICATION = "bihuan.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {
    "default": _database(
        os.environ.get("DATABASE_URL", "postgresql://bihuan@localhost/bihuan"), role=DATABASE_ROLE
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"

STATIC_URL = "/static/"
STATIC_ROOT = BIHUAN_HOME / "static"
# --- who may log in (bihuan/registry/login.py) ---
AUTH_USER_MODEL = "registry.Account"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: refuses while locked out
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "/accounts/login/"
ACCOUNT_ADAPTER = "bihuan.registry.login.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]  # no public sign-up: the adapter refuses
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_RATE_LIMITS = {"login_failed": False}  # axes keeps count, in the database, across processes
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Bihuan"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
# A name from an address: a stranger cannot lock an officer out, nor one typist the whole county office.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_FORM_FIELD = "login"
AXES_LOCKOUT_CALLABLE = "bihuan.registry.login.locked_out"
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True
SESSION_COOKIE_AGE = 12 * 3600  # one shift
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SAMESITE = "Lax"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
