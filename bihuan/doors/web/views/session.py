"""Around the work: the start page, the theme, which post one acts in, settings."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from bihuan.doors.web.access import access
from bihuan.registry import access as registry_access
from bihuan.registry import scope
from bihuan.registry.middleware import choose_post

A_YEAR = 365 * 24 * 3600


def back(request: HttpRequest, otherwise: str = "/") -> HttpResponse:
    """Redirect to the `next` the form carried, if it is one of our own pages."""
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(target if safe else otherwise)


@access(scope="post")
def home(request: HttpRequest) -> HttpResponse:
    """Who commands starts at the board, who works starts at her duties."""
    acting = scope.current()
    commands = acting is not None and registry_access.may(acting, "duty.bulk").allowed
    return redirect("web:board" if commands else "web:my_duties")


@require_POST
@access(scope="anyone")
def theme(request: HttpRequest) -> HttpResponse:
    answer = back(request)
    choice = request.POST.get("theme", "system")
    answer.set_cookie(
        "theme", choice if choice in ("light", "dark") else "system", max_age=A_YEAR, samesite="Lax"
    )
    return answer


@never_cache
@require_safe
@access(scope="anyone")
def alive(request: HttpRequest) -> HttpResponse:
    """Who is logged in ("" = nobody), and the token that forms need now: asked before a form is sent from a
    page that has stood open (session.ts)."""
    return JsonResponse({"who": request.user.get_username(), "token": get_token(request)})


@require_POST
@access(scope="account")
def switch_post(request: HttpRequest) -> HttpResponse:
    """Act in another of one's own posts; one not held is ignored by the scope itself."""
    wanted = request.POST.get("post", "")
    acting = request.acting  # type: ignore[attr-defined]
    for held in acting.choices if acting else ():
        if held.post.public_id == wanted:
            choose_post(request, held.post.id)
    return redirect("web:home")


@access(scope="account")
def no_post(request: HttpRequest) -> HttpResponse:
    return render(request, "web/no_post.html", status=403)


@access(scope="account")
def settings(request: HttpRequest) -> HttpResponse:
    return render(request, "web/settings.html")
