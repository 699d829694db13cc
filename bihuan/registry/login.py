"""Logging in: username and password, lockout, a second factor where a role asks for it, no public sign-up."""

from __future__ import annotations

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from bihuan.registry import access
from bihuan.registry.posts import Held
from bihuan.registry.secrets import keyring

_LOCKED_TEMPLATE = "account/lockout.html"
_TOO_MANY = 429


class AccountAdapter(DefaultAccountAdapter):
    """allauth's account pages in this house."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Accounts are made by an administrator for a person who holds a post."""
        return False

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is mailed: many of our accounts have no address."""


class MfaAdapter(DefaultMFAAdapter):
    """Keeps the secrets of second factors encrypted with the field keys."""

    _PLACE = "account.mfa"

    def encrypt(self, text: str) -> str:
        return base64.b64encode(keyring().encrypt(text, place=self._PLACE)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return keyring().decrypt(base64.b64decode(encrypted_text), place=self._PLACE)

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is mailed: many of our accounts have no address."""


def username_of(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """Return the username of an attempt to log in, for the lockout: allauth calls its field `login`."""
    given = credentials or {}
    name = given.get("username") or given.get("login") or (request.POST.get("login") if request else None)
    return str(name).strip().lower() if name else None


def locked_out(
    request: HttpRequest, original: HttpResponse | None = None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """Answer an attempt to log in after too many failures."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    message = _("Too many failed attempts. Try again in %(minutes)d minutes, or ask your administrator.") % {
        "minutes": minutes
    }
    context = {"message": message, "cooloff_time": _("%(minutes)d minutes") % {"minutes": minutes}}
    response = render(request, _LOCKED_TEMPLATE, context, status=_TOO_MANY)
    response["Retry-After"] = str(minutes * 60)
    return response


def owes_second_factor(account: AbstractBaseUser, choices: tuple[Held, ...]) -> bool:
    """Whether a post she may act in asks for a second factor that she has not set up. In production only."""
    if settings.BIHUAN_MODE != "production":
        return False
    roles = access.roles()
    asked = any(h.post.role in roles and roles[h.post.role].second_factor for h in choices)
    return asked and not is_mfa_enabled(account)
