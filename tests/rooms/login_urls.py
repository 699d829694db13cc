"""Addresses for the tests of logging in: all of ours, and a few that show what a request runs as."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from bihuan.config import urls
from bihuan.registry import scope
from bihuan.registry.middleware import choose_post, look_through
from bihuan.registry.models import Household


def who(request: HttpRequest) -> JsonResponse:
    acting = request.acting  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('bihuan.lo', true)")
        lo = cursor.fetchone()[0]
    return JsonResponse(
        {
            "post": acting.post.id if acting else None,
            "actor": acting.actor.account_id if acting else None,
            "lo": scope.current().lo if scope.current() else None,
            "database_lo": lo or None,
            "choices": [h.post.id for h in acting.choices] if acting else [],
            "opened": acting.opened.public_id if acting and acting.opened else None,
            "seen": sorted(Household.objects.values_list("address", flat=True)),
            "language": request.LANGUAGE_CODE,
        }
    )


def act(request: HttpRequest, post_id: int) -> HttpResponse:
    choose_post(request, post_id)
    return HttpResponse("ok")


def look(request: HttpRequest, glass_id: str) -> HttpResponse:
    look_through(request, glass_id)
    return HttpResponse("ok")


def fail(request: HttpRequest) -> HttpResponse:
    Household.objects.create(address="half done", territory_code=scope.current().lo)  # type: ignore[union-attr]
    raise RuntimeError("in the middle")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def rows() -> Iterator[str]:
        for address in Household.objects.order_by("address").values_list("address", flat=True):
            yield address + "\n"

    return StreamingHttpResponse(rows())


urlpatterns = [
    path("who/", who),
    path("act/<int:post_id>/", act),
    path("look/<str:glass_id>/", look),
    path("fail/", fail),
    path("stream/", stream),
    *urls.urlpatterns,
]
