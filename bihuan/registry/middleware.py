"""Every request of somebody logged in runs in the scope of the post acted in, in one transaction.

    request.acting     Acting | None: actor, post, scope, choices, opened glass; None = nobody, or no post
    request.actor      Actor | None, the same as request.acting.actor

A request with a bearer token is left to the API, which opens the scope of the token's post.
The transaction is rolled back when the answer is an error of ours (500 and above). An answer that streams is
produced in the same scope, in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils import translation

from bihuan.registry import audit, stamps
from bihuan.registry.acting import Acting, acting_for_account
from bihuan.registry.login import owes_second_factor
from bihuan.registry.models.account import Account
from bihuan.registry.scope import acting_as

SESSION_POST = "acting_post"
SESSION_GLASS = "acting_glass"
_BEARER = "bearer "
_SERVER_ERROR = 500


class ScopeMiddleware:
    """Stands after authentication and after allauth's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with stamps.steady():
            acting = _who_acts(request)
            request.acting = acting  # type: ignore[attr-defined]
            request.actor = acting.actor if acting else None  # type: ignore[attr-defined]
            if acting is None:
                return self.get_response(request)
            _speak(request)
            if _owes_second_factor(request, acting) and (to := _second_factor_page(request)):
                return redirect(to)
            with _entered(acting, request):
                response = self.get_response(request)
                if response.status_code >= _SERVER_ERROR:
                    transaction.set_rollback(True)
        if isinstance(response, StreamingHttpResponse) and not response.is_async:
            response.streaming_content = _stream(response.streaming_content, acting, request)
        return response


def choose_post(request: HttpRequest, post_id: int) -> None:
    """Act in another of one's posts from the next request on; a post not held is ignored then."""
    request.session[SESSION_POST] = post_id
    request.session.pop(SESSION_GLASS, None)


def look_through(request: HttpRequest, glass_id: str | None) -> None:
    """Look through a broken glass from the next request on; None looks away."""
    if glass_id:
        request.session[SESSION_GLASS] = glass_id
    else:
        request.session.pop(SESSION_GLASS, None)


def _who_acts(request: HttpRequest) -> Acting | None:
    if request.headers.get("Authorization", "").lower().startswith(_BEARER):
        return None
    if not request.user.is_authenticated:
        return None
    acting = acting_for_account(
        request.user,
        post_id=request.session.get(SESSION_POST),
        glass_id=request.session.get(SESSION_GLASS),
    )
    if acting and acting.opened is None and SESSION_GLASS in request.session:
        del request.session[SESSION_GLASS]  # it has ended
    return acting


@contextmanager
def _entered(acting: Acting, request: HttpRequest) -> Iterator[None]:
    request_id = str(getattr(request, "request_id", "") or request.headers.get("X-Request-ID", ""))
    with ExitStack() as stack:
        stack.enter_context(
            audit.through(acting.actor.door, request_id=request_id[:40], name=acting.actor.name)
        )
        stack.enter_context(acting_as(acting.scope))
        yield


def _stream(parts: Any, acting: Acting, request: HttpRequest) -> Iterator[bytes]:
    with stamps.steady(), _entered(acting, request):
        yield from parts


def _speak(request: HttpRequest) -> None:
    """Use the account's language unless one was chosen in this browser."""
    language = getattr(request.user, "language", "")
    if settings.LANGUAGE_COOKIE_NAME in request.COOKIES or language not in dict(settings.LANGUAGES):
        return
    translation.activate(language)
    request.LANGUAGE_CODE = language


def _owes_second_factor(request: HttpRequest, acting: Acting) -> bool:
    account = request.user
    return isinstance(account, Account) and owes_second_factor(account, acting.choices)


def _second_factor_page(request: HttpRequest) -> str | None:
    """Where to set the second factor up; None when she is on the way there or leaving."""
    try:
        open_paths = (reverse("mfa_index"), reverse("account_logout"), reverse("account_reauthenticate"))
        to = reverse("mfa_activate_totp")
    except NoReverseMatch:
        return None
    if request.path.startswith((*open_paths, settings.STATIC_URL)):
        return None
    return to
