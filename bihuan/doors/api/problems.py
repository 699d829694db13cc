"""Errors as problem details (RFC 9457), media type application/problem+json."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError

from bihuan.doors.api.pace import RETRY_AFTER
from bihuan.registry.errors import BihuanError

MEDIA_TYPE: Final = "application/problem+json"
_log = logging.getLogger(__name__)


class FieldProblem(Schema):
    """What is wrong with one field; `row` counts from 0 where a request holds many, else null."""

    field: str = ""
    rule: str = ""
    message: str = ""
    hint: str = ""
    row: int | None = None


class Problem(Schema):
    """`type` is a stable slug; `title` and `detail` are in the language of Accept-Language."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: list[FieldProblem] = []
    subject: str = ""


#: What every operation may answer besides its own; a door must not answer what it does not declare.
STATUSES: Final = (400, 401, 403, 404, 409, 413, 415, 422, 429)


class Unsupported(BihuanError):
    code = "unsupported-media-type"
    status = 415


class TooLarge(BihuanError):
    code = "too-large"
    status = 413


def too_large(most: int) -> TooLarge:
    """The error of a body of more than `most` bytes."""
    return TooLarge(
        _("The request is larger than %(n)s MB.") % {"n": most // 2**20},
        hint=_("Send fewer rows at a time, or import a file."),
    )


def unsupported() -> Unsupported:
    """The error of a body in a form this operation does not read."""
    return Unsupported(
        _("This operation does not read a body of that type."),
        hint=_("Send JSON with `Content-Type: application/json`; a file as `multipart/form-data`."),
    )


def answer(
    *,
    slug: str,
    title: str,
    status: int,
    detail: str = "",
    errors: Iterable[Mapping[str, Any]] | None = None,
    subject: str = "",
) -> HttpResponse:
    """A problem as a response."""
    body = {
        "type": slug,
        "title": str(title),
        "status": status,
        "detail": str(detail),
        "errors": [_field(error) for error in errors or ()],
        "subject": subject,
    }
    options = {"ensure_ascii": False}
    return JsonResponse(body, status=status, content_type=MEDIA_TYPE, json_dumps_params=options)


def _field(error: Mapping[str, Any]) -> dict[str, Any]:
    row = error.get("row")
    texts = {name: str(error.get(name) or "") for name in ("field", "rule", "message", "hint")}
    return {**texts, "row": row if isinstance(row, int) else None}


def of(error: BihuanError) -> HttpResponse:
    """A room's error as a response."""
    response = answer(
        slug=error.code,
        title=error.message,
        status=error.status,
        detail=error.hint,
        errors=getattr(error, "errors", None),
        subject=str(error.details.get("subject") or ""),
    )
    if RETRY_AFTER in error.details:
        response["Retry-After"] = str(error.details[RETRY_AFTER])
    return response


def not_found() -> HttpResponse:
    """There is no such address."""
    return answer(
        slug="not-found",
        title=_("There is nothing at this address."),
        status=404,
        detail=_("See the description of the interface at /api/v1/openapi.json."),
    )


def not_allowed(allow: str) -> HttpResponse:
    """The address is there, but not for this method."""
    title = _("This address does not take that method.")
    response = answer(
        slug="method-not-allowed", title=title, status=405, detail=_("Allowed: %s.") % (allow or "-")
    )
    response["Allow"] = allow
    return response


def bad_text(where: str) -> HttpResponse:
    """A text that cannot be stored stands in the request."""
    message = _("The text holds a character that cannot be stored.")
    errors = [{"field": where, "rule": "text", "message": message}]
    return answer(slug="invalid", title=message, status=422, errors=errors)


def install(api: NinjaAPI) -> None:
    """Translate every error the rooms and the framework raise."""
    api.add_exception_handler(BihuanError, lambda request, error: of(error))  # type: ignore[arg-type]
    api.add_exception_handler(ValidationError, _invalid)  # type: ignore[arg-type]
    api.add_exception_handler(AuthenticationError, _unknown_token)  # type: ignore[arg-type]
    api.add_exception_handler(HttpError, _http)  # type: ignore[arg-type]
    api.add_exception_handler(RequestDataTooBig, _too_big)  # type: ignore[arg-type]
    api.add_exception_handler(Http404, lambda request, error: not_found())
    for kind in (SuspiciousOperation, BadRequest, MultiPartParserError, UnreadablePostError):
        api.add_exception_handler(kind, _unreadable)  # type: ignore[arg-type]
    api.add_exception_handler(DataError, _bad_data)  # type: ignore[arg-type]
    api.add_exception_handler(Exception, _fault)  # type: ignore[arg-type]


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [
        {"field": ".".join(str(part) for part in one["loc"]), "rule": one["type"], "message": one["msg"]}
        for one in error.errors
    ]
    return answer(
        slug="invalid",
        title=_("The request does not fit the description of this operation."),
        status=422,
        detail=_("See `errors`, and the description at /api/v1/openapi.json."),
        errors=errors,
    )


def _unknown_token(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    response = answer(
        slug="unknown-token",
        title=_("No valid token came with the request."),
        status=401,
        detail=_(
            "Send `Authorization: Bearer TOKEN`; an administrator makes one with `bihuan token create`."
        ),
    )
    response["WWW-Authenticate"] = "Bearer"
    return response


def _http(request: HttpRequest, error: HttpError) -> HttpResponse:
    """The framework's own; an error of ours that it wrapped comes out again."""
    if isinstance(error.__cause__, BihuanError):
        return of(error.__cause__)
    if isinstance(error.__cause__, RequestDataTooBig):
        return _too_big(request, error.__cause__)
    title = _("The body is not valid JSON.") if error.status_code == 400 else str(error)
    return answer(slug="bad-request", title=title, status=error.status_code)


def _too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    from django.conf import settings

    return of(too_large(settings.DATA_UPLOAD_MAX_MEMORY_SIZE))


def _unreadable(request: HttpRequest, error: Exception) -> HttpResponse:
    return answer(slug="bad-request", title=_("The body of the request cannot be read."), status=400)


def _bad_data(request: HttpRequest, error: DataError) -> HttpResponse:
    """The last fence: a value no schema refused but the database did. Told, and noted to be mended."""
    _log.warning("value refused by the database: %s", request.resolver_match and request.resolver_match.route)
    title = _("A value in the request is too long, too large, or cannot be stored.")
    return answer(slug="invalid", title=title, status=422)


def _fault(request: HttpRequest, error: Exception) -> HttpResponse:
    _log.error("fault in the API", exc_info=error)
    return answer(
        slug="fault",
        title=_("Something went wrong here; nothing was changed."),
        status=500,
        detail=_("The fault is recorded. Try again, or tell the administrator."),
    )
