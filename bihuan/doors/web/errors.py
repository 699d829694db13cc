"""A room's error as a page, or as a toast when only a piece of the page was asked for."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from bihuan.registry.errors import BihuanError


def respond(request: HttpRequest, error: BihuanError) -> HttpResponse:
    """Translate an error: its status, its message, and the way out it names."""
    if request.headers.get("HX-Request"):
        answer = render(
            request, "web/parts/toast_oob.html", {"text": str(error), "kind": "error"}, status=422
        )
        answer["HX-Reswap"] = "none"
        return answer
    back = "" if request.method in ("GET", "HEAD") else came_from(request)
    context = {"title": title_of(error.status), "message": error.message, "hint": error.hint, "back": back}
    return render(request, "web/error.html", context, status=error.status)


def came_from(request: HttpRequest) -> str:
    """The page of ours on which a form stood; the start where that is not known."""
    said = urlsplit(request.headers.get("Referer", ""))
    is_ours = said.netloc == request.get_host()
    return urlunsplit(("", "", said.path, said.query, "")) if is_ours else "/"


def title_of(status: int) -> str:
    return {
        403: _("Not for your post"),
        404: _("Not found here"),
        409: _("Already different"),
        422: _("That cannot be done as given"),
    }.get(status, _("Something went wrong"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404: an address that leads nowhere, or to something outside the reader's territory."""
    context = {
        "title": title_of(404),
        "message": _("There is nothing at this address, or it lies outside the territory you act in."),
    }
    return render(request, "web/error.html", context, status=404)


def failed(request: HttpRequest) -> HttpResponse:
    """handler500: says nothing of the inside."""
    context = {
        "title": title_of(500),
        "message": _("Nothing was changed. The fault is recorded; try again, or tell your administrator."),
    }
    return render(request, "web/error.html", context, status=500)
