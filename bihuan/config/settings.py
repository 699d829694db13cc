"""Settings, read from the environment by typed readers that fail loudly.

BIHUAN_HOME            data folder (default /var/lib/bihuan for root, else ~/.local/share/bihuan)
BIHUAN_MODE            production | demo | drill | test (default: what the data folder remembers)
DATABASE_URL           postgresql://… of an outside PostgreSQL 15+ (default: the embedded one)
BIHUAN_DB_ROLE         owner | door; doors are under row-level security
BIHUAN_HOSTS           names this server answers to, with commas
BIHUAN_ORIGINS         https://… origins that forms may come from, with commas, when behind a proxy
BIHUAN_PUBLIC_URL      https://… by which the public reaches this server, printed on codes of own pages
                       (default: the address by which who prints the code came)
BIHUAN_BEHIND_PROXY    1: trust X-Forwarded-Proto of the proxy in front
BIHUAN_INSECURE_HTTP   1: allow log-in over plain http in production (a closed network only)
BIHUAN_PACKS           further folders of policy packs, with commas
BIHUAN_SECRET_KEY, BIHUAN_FIELD_KEY, BIHUAN_METRICS_TOKEN   secrets (default: kept in the data folder)
BIHUAN_API_PER_MINUTE  calls a minute that an API token may make on average (default 600; 0: any number)
BIHUAN_API_BURST       calls it may make at once (default 120)
BIHUAN_WEBHOOK_URL     https://… that digests are posted to, or file:///folder (default: none)
BIHUAN_WEBHOOK_SECRET  what they are signed with
BIHUAN_MAIL_URL        smtp://user:password@host:port, or smtps://…, to mail digests by (default: none)
BIHUAN_MAIL_FROM       the sender of mails
BIHUAN_LANG            language of the command line, zh or en (default: the locale's; doors/cli/spoken.py)
BIHUAN_LOG_LEVEL       default INFO in production, WARNING elsewhere
"""

from __future__ import annotations

import os
import re
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlparse

from django.core.exceptions import ImproperlyConfigured

from bihuan.config import home, logs, static

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = Path(__file__).resolve().parent.parent


def _flag(name: str) -> bool:
    text = os.environ.get(name, "0").lower()
    if text not in ("0", "1", "true", "false", "yes", "no", ""):
        raise ImproperlyConfigured(f"{name} is {text!r}; it must be 1 or 0.")
    return text in ("1", "true", "yes")


def _words(name: str, default: str) -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def mail_from(url: str) -> dict[str, Any]:
    """Django's settings that an address smtp://user:password@host:port or smtps://… means."""
    parts = urlparse(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ImproperlyConfigured("BIHUAN_MAIL_URL must be smtp://… or smtps://… with a host.")
    implicit = parts.scheme == "smtps"
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if implicit else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": implicit,
        "EMAIL_USE_TLS": not implicit and parts.hostname not in ("localhost", "127.0.0.1", "::1"),
        "EMAIL_TIMEOUT": 20,
    }


_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def public_url(url: str, *, plain_http: bool) -> str:
    """The address by which the public reaches this server, as browsers name it: scheme://host[:port], without
    the scheme's own port; "" for none. One host: patterns of hosts (`*`, `.example.org`) are refused."""
    text = url.strip().rstrip("/").lower()
    try:
        parts = urlparse(text)
        host = parts.hostname or ""
        whole = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    except ValueError as error:
        raise ImproperlyConfigured(f"BIHUAN_PUBLIC_URL is no address: {error}.") from error
    schemes = ("https", "http") if plain_http else ("https",)
    if text and (text != whole or parts.scheme not in schemes or not _HOST.fullmatch(host)):
        raise ImproperlyConfigured(
            "BIHUAN_PUBLIC_URL must be https://host or https://host:port, no more;"
            " a host in other letters by its name in ASCII, xn--…"
        )
    return whole.removesuffix({"https": ":443", "http": ":80"}[parts.scheme]) if text else ""


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit()):
        raise ImproperlyConfigured(f"{name} is {text!r}; it must be a whole number, 0 or more.")
    return int(text)


def database_from(url: str, *, role: str = "owner") -> dict[str, Any]:
    """The entry of DATABASES that an address postgresql://user:password@host:port/name?host=/folder means."""
    parts = urlparse(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ImproperlyConfigured(f"DATABASE_URL must start with postgresql://, not {parts.scheme!r}.")
    if role not in ("owner", "door"):
        raise ImproperlyConfigured(f"BIHUAN_DB_ROLE is {role!r}; it must be owner or door.")
    given = dict(parse_qsl(parts.query))
    options: dict[str, Any] = {key: value for key, value in given.items() if key != "host"}
    if role == "door":
        options["options"] = "-c role=bihuan_door"
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "bihuan",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": given.get("host") or unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
        "TEST": {"NAME": os.environ["BIHUAN_TEST_DB"]} if os.environ.get("BIHUAN_TEST_DB") else {},
    }


try:
    BIHUAN_MODE = home.mode()
except home.HomeError as error:
    raise ImproperlyConfigured(str(error)) from error
BIHUAN_HOME = home.home()
_BUNDLED_PACKS = PACKAGE / "packs"  # where a wheel carries them; in a checkout they stand beside the package
BIHUAN_PACKS = [_BUNDLED_PACKS if _BUNDLED_PACKS.is_dir() else ROOT / "packs"]
BIHUAN_PACKS += [Path(folder) for folder in _words("BIHUAN_PACKS", "")]
DATABASE_ROLE = os.environ.get("BIHUAN_DB_ROLE", "owner")
IS_PRODUCTION = BIHUAN_MODE == "production"
#: Folder of pg_dump and pg_restore; the porch sets it to the embedded PostgreSQL's own.
POSTGRES_PROGRAMS = os.environ.get("BIHUAN_POSTGRES_PROGRAMS", "")

# A key of this process alone will do for a command; a server makes one that stays (config/command.py).
SECRET_KEY = os.environ.get("BIHUAN_SECRET_KEY") or home.secret(home.SECRET_KEY) or secrets.token_urlsafe(48)
DEBUG = False
ALLOWED_HOSTS = _words("BIHUAN_HOSTS", "localhost,127.0.0.1,[::1]")
if BIHUAN_MODE == "test":
    ALLOWED_HOSTS.append("testserver")
CSRF_TRUSTED_ORIGINS = _words("BIHUAN_ORIGINS", "")

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
    "bihuan.doors.api",
]

MIDDLEWARE = [
    "bihuan.config.health.Measure",  # first: its clock covers all that follows
    "django.middleware.security.SecurityMiddleware",
    "bihuan.config.security.StrictHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
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
        "DIRS": [PACKAGE / "doors" / "web" / "templates"],  # before allauth's own pages
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "bihuan.doors.web.frame.frame",
            ],
        },
    }
]

DATABASES = {
    "default": database_from(
        os.environ.get("DATABASE_URL", "postgresql://bihuan@localhost/bihuan"), role=DATABASE_ROLE
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
# Before the catalogs of other packages, which have other words for some of the same English.
LOCALE_PATHS = sorted([*PACKAGE.glob("*/locale"), *PACKAGE.glob("doors/*/locale")])
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"

STATIC_URL = "/static/"
STATIC_ROOT = BIHUAN_HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if BIHUAN_MODE == "test"
        else "bihuan.config.static.Storage"
    },
}
WHITENOISE_USE_FINDERS = BIHUAN_MODE == "test"
WHITENOISE_IMMUTABLE_FILE_TEST = static.never_changes

# --- what goes over the wire ---
_PLAIN_HTTP = not IS_PRODUCTION or _flag("BIHUAN_INSECURE_HTTP")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not _PLAIN_HTTP
SECURE_HSTS_SECONDS = 0 if _PLAIN_HTTP else 365 * 24 * 3600
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _flag("BIHUAN_BEHIND_PROXY") else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
BIHUAN_PUBLIC_URL = public_url(os.environ.get("BIHUAN_PUBLIC_URL", ""), plain_http=_PLAIN_HTTP)
if BIHUAN_PUBLIC_URL:  # who follows a printed code is answered, and may send the form
    ALLOWED_HOSTS.append(str(urlparse(BIHUAN_PUBLIC_URL).hostname))
    CSRF_TRUSTED_ORIGINS.append(BIHUAN_PUBLIC_URL)
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_500  # all names of one list chosen (2,000), and what is said of them
FILE_UPLOAD_MAX_MEMORY_SIZE = 11 * 2**20  # a table of visits is never laid on a disk
#: How fast a token may call the API (bihuan/doors/api/pace.py); tests call as fast as they can.
BIHUAN_API_PER_MINUTE = _number("BIHUAN_API_PER_MINUTE", 0 if BIHUAN_MODE == "test" else 600)
BIHUAN_API_BURST = _number("BIHUAN_API_BURST", 120)

# --- ways by which digests leave the house (bihuan/registry/delivery): all off unless named ---
BIHUAN_WEBHOOK_URL = os.environ.get("BIHUAN_WEBHOOK_URL", "")
BIHUAN_WEBHOOK_SECRET = os.environ.get("BIHUAN_WEBHOOK_SECRET", "")
if BIHUAN_WEBHOOK_URL.startswith("http") and not BIHUAN_WEBHOOK_SECRET:
    raise ImproperlyConfigured("BIHUAN_WEBHOOK_URL needs BIHUAN_WEBHOOK_SECRET to sign with.")
BIHUAN_MAIL_URL = os.environ.get("BIHUAN_MAIL_URL", "")
DEFAULT_FROM_EMAIL = os.environ.get("BIHUAN_MAIL_FROM", "bihuan@localhost")
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
if BIHUAN_MAIL_URL:
    globals().update(mail_from(BIHUAN_MAIL_URL))
LOGGING = logs.configuration(
    as_json=IS_PRODUCTION, level=os.environ.get("BIHUAN_LOG_LEVEL", "INFO" if IS_PRODUCTION else "WARNING")
)

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
# Passwords are counted by axes, in the database, across processes; this also counts one-time codes.
ACCOUNT_RATE_LIMITS = {"login_failed": "60/m/ip,10/15m/key"}
MFA_ADAPTER = "bihuan.registry.login.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Bihuan"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
# A name from an address: a stranger cannot lock an officer out, nor one typist the whole county office.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "bihuan.registry.login.username_of"
AXES_LOCKOUT_CALLABLE = "bihuan.registry.login.locked_out"
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True
SESSION_COOKIE_AGE = 12 * 3600  # one shift
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SAMESITE = "Lax"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
