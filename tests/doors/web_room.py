"""Short words for tests of the pages: a browser that is logged in."""

from __future__ import annotations

from django.test import Client

from tests.cast import Member


def logged_in(who: Member) -> Client:
    client = Client()
    client.force_login(who.account, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def browser(who: Member) -> Client:
    """Of somebody who reads Chinese."""
    client = logged_in(who)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-hans"
    return client
