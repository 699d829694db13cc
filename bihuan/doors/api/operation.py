"""One way to write an operation: declared right, scope of the token's post, one transaction, one answer.

    @operation(router, "GET", "/duties", right="duty.view", response=DutyPage)
    def list_duties(call: Call, ...) -> DutyPage: ...

Route modules must not postpone annotations: the framework reads them from this wrapper.
"""

from __future__ import annotations

import contextlib
import inspect
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from ninja import Router, Schema
from ninja.security import HttpBearer

from bihuan.doors.api import answers, pace
from bihuan.doors.api.problems import STATUSES, Problem
from bihuan.registry import access, audit, scope, tokens
from bihuan.registry.actor import Actor
from bihuan.registry.errors import NotAllowed
from bihuan.registry.purposes import neutral

PURPOSE: Final = "X-Purpose"
DEFAULT_PURPOSE: Final = "api"


@dataclass(frozen=True)
class Declared:
    """What an operation says about itself; the authorization test walks over all of them.

    `rights`: the post must carry one of them. `personal`: it answers with personal data, and logs that.
    """

    method: str
    path: str
    rights: tuple[str, ...]
    name: str
    personal: bool


#: Every operation, by name.
DECLARED: Final[dict[str, Declared]] = {}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token came: its number, the scope of its post, and the actor that actions record."""

    token_id: int
    scope: scope.Scope
    actor: Actor


class Bearer(HttpBearer):
    """`Authorization: Bearer bh_…`"""

    def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        found = tokens.find_token(token)
        if found is None:
            return None
        pace.spend(found.pk)
        actor = Actor(account_id=None, post_id=found.post_id, name=found.name, door="api")
        return Caller(found.pk, tokens.scope_for_token(found), actor)


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls: the request, the scope of the token's post, the actor, and what the data are for."""

    request: HttpRequest
    scope: scope.Scope
    actor: Actor
    purpose: str

    @property
    def post_id(self) -> int:
        assert self.scope.post_id is not None
        return self.scope.post_id


def operation(
    router: Router,
    method: str,
    path: str,
    *,
    right: str | tuple[str, ...],
    response: type[Schema],
    status: int = 200,
    personal: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a view on `router`. The view takes `call: Call` first and returns the body.

    The first line of its docstring is the summary in the description of the interface.
    """
    rights = (right,) if isinstance(right, str) else right

    def register(view: Callable[..., Any]) -> Callable[..., Any]:
        name = view.__name__
        if name in DECLARED:
            raise ValueError(f"There are two operations called {name}.")
        DECLARED[name] = Declared(method, path, rights, name, personal)

        @wraps(view)
        def run(request: HttpRequest, **values: Any) -> Any:
            kept = method == "POST" and not personal
            return _run(request, rights, status, lambda call: view(call, **values), kept=kept)

        run.__signature__ = _signature(view)  # type: ignore[attr-defined]
        del run.__wrapped__
        documented = {status: response, **dict.fromkeys(STATUSES, Problem)}
        summary, _gap, more = inspect.cleandoc(view.__doc__ or name).partition("\n")
        route = router.api_operation(
            [method],
            path,
            response=documented,
            operation_id=name,
            url_name=name,
            summary=summary,
            description=more.strip() or None,
            openapi_extra={"x-rights": list(rights), "parameters": _headers(method, personal=personal)},
        )
        route(run)
        return view

    return register


def _run(
    request: HttpRequest,
    rights: tuple[str, ...],
    status: int,
    work: Callable[[Call], Schema],
    *,
    kept: bool,
) -> HttpResponse:
    """Do the work in the scope of the token's post, in one transaction that an error takes back. `kept`: the
    answer is given again to the same Idempotency-Key; never one that shows people, as a look is taken anew
    each time, past the gate, and noted."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    request_id = (request.headers.get("X-Request-ID") or uuid.uuid4().hex)[:40]
    with (
        audit.through("api", request_id=request_id, name=caller.actor.name),
        scope.acting_as(caller.scope) as acting,
    ):
        _require(rights, acting)
        call = Call(request, acting, caller.actor, _purpose(request))
        if not kept:
            return _answer(status, _plain(work(call)))
        answer = answers.once(request, caller.token_id, status=status, run=lambda: _plain(work(call)))
        return _answer(answer.status, answer.body, again=answer.again)


def _require(rights: tuple[str, ...], acting: scope.Scope) -> None:
    if not any(access.may(acting, right) for right in rights):
        access.require(rights[0], scope=acting)
        raise NotAllowed(_("This is not for your post."))


def _plain(body: Schema) -> dict[str, Any]:
    found: dict[str, Any] = body.model_dump(mode="json")
    return found


def _answer(status: int, body: Any, *, again: bool = False) -> HttpResponse:
    response = JsonResponse(body, status=status, json_dumps_params={"ensure_ascii": False})
    if again:
        response["Idempotent-Replay"] = "true"
    return response


def _purpose(request: HttpRequest) -> str:
    """What the caller says the data are for; header texts are latin-1 on the wire, ours are UTF-8."""
    text = request.headers.get(PURPOSE, "")
    with contextlib.suppress(UnicodeEncodeError, UnicodeDecodeError):
        text = text.encode("latin-1").decode("utf-8")
    text = "".join(c for c in text if c.isprintable()).strip()
    return neutral(text)[:200] or DEFAULT_PURPOSE


def _signature(view: Callable[..., Any]) -> inspect.Signature:
    """The view's signature with the framework's `request` in the place of `call`."""
    signature = inspect.signature(view)
    request = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    given = list(signature.parameters.values())[1:]
    return signature.replace(parameters=[request, *given], return_annotation=inspect.Signature.empty)


def _headers(method: str, *, personal: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    schema: dict[str, Any]
    if method == "POST" and not personal:
        words = "Sent again with the same key, a request gets its first answer and changes nothing."
        schema = {"type": "string", "pattern": "^[!-~]{1,120}$"}
        found.append({"in": "header", "name": answers.HEADER, "schema": schema, "description": words})
    if personal:
        words = "What the personal data are for; stands in the log of reads."
        schema = {"type": "string", "maxLength": 200}
        found.append({"in": "header", "name": PURPOSE, "schema": schema, "description": words})
    return found
