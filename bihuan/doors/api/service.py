"""The interface itself: its routers, its description, and the guard in front of every address."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import wraps
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.urls import URLPattern, URLResolver, re_path
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from bihuan.doors.api import problems
from bihuan.doors.api.operation import Bearer
from bihuan.doors.api.reading import JSON, MULTIPART, StrictParser, storable
from bihuan.doors.api.routes import ROUTERS
from bihuan.doors.exchange.limits import LIMITS

DESCRIPTION: Final = """The verbs and lists of Bihuan for other systems.

Every call bears a token of an organization (`Authorization: Bearer …`) and acts in one of its posts: it sees
what lies at or below the post's territory and may do what the post's role carries (`x-rights`). What is
outside is not found. Reads of personal data are logged with the purpose given in `X-Purpose`.

Every POST that changes something takes an `Idempotency-Key`. Lists come in pages: send `next` back as
`cursor`. Errors are problem details (RFC 9457) in the language of `Accept-Language` (zh-hans, en). A day
without a time zone is local.

A token that calls too often is answered 429: `Retry-After` tells how many seconds to wait; nothing was done.
"""
#: What a multipart body holds besides the file.
_AROUND_FILE: Final = 2**20
_TOO_FAST: Final = 429
_HEAD: Final = ("GET", "HEAD", "OPTIONS", "TRACE")


class BihuanAPI(NinjaAPI):
    """Describes errors by their own media type."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        for methods in schema["paths"].values():
            for described in methods.values():
                described["responses"] = {
                    str(status): _as_problem(int(status), body)
                    for status, body in described["responses"].items()
                }
        return schema


def _as_problem(status: int, body: dict[str, Any]) -> dict[str, Any]:
    if status < 400:
        return body
    told = deepcopy(body)
    told["content"] = {problems.MEDIA_TYPE: told["content"][JSON]}
    if status == _TOO_FAST:
        told["description"] = "Too many requests"
        told["headers"] = {
            "Retry-After": {
                "description": "Seconds after which the token may call again.",
                "required": True,
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    return told


def build() -> NinjaAPI:
    """The interface with all its routers."""
    made = BihuanAPI(
        title="Bihuan",
        version="1",
        description=DESCRIPTION,
        docs_url=None,  # a page of the framework's would load scripts from elsewhere
        auth=Bearer(),
        parser=StrictParser(),
        urls_namespace="api",
    )
    problems.install(made)
    for tag, router in ROUTERS.items():
        made.add_router("", router, tags=[tag])
    return made


api: Final = build()


def urls() -> list[URLPattern | URLResolver]:
    """Every address of the interface behind the guard, then one that catches all others."""
    patterns = api.urls[0]
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            pattern.callback = guarded(pattern.callback)
    return [*sorted(patterns, key=_by_words), re_path(r"^.*$", nowhere, name="nowhere")]


def _by_words(pattern: URLPattern | URLResolver) -> list[bool]:
    """/duties/complete before /duties/{duty}: words before what stands for something."""
    return ["<" in part for part in str(pattern.pattern).split("/")]


def guarded(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Refuse what no operation could read, and answer in problem details where the framework does not."""

    @wraps(view)
    def guard(request: HttpRequest, *args: Any, **values: Any) -> HttpResponseBase:
        refused = _refusal(request)
        response = refused or view(request, *args, **values)
        if isinstance(response, HttpResponseNotAllowed):
            response = problems.not_allowed(response.headers.get("Allow", ""))
        response["Cache-Control"] = "no-store"
        return response

    guard.csrf_exempt = True  # type: ignore[attr-defined]
    return guard


@guarded
def nowhere(request: HttpRequest, **_values: Any) -> HttpResponse:
    """Any address that is none."""
    return problems.not_found()


def _refusal(request: HttpRequest) -> HttpResponse | None:
    if not storable(request.path):
        return problems.not_found()
    for name, values in request.GET.lists():
        if not all(storable(text) for text in (name, *values)):
            return problems.bad_text(name.replace("\x00", ""))
    size = int(request.META.get("CONTENT_LENGTH") or 0)
    if not size or request.method in _HEAD:
        return None
    multipart = request.content_type == MULTIPART
    most = LIMITS.file_bytes + _AROUND_FILE if multipart else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if size > most:
        return problems.of(problems.too_large(most))
    if request.content_type not in (JSON, MULTIPART):
        return problems.of(problems.unsupported())
    return None
