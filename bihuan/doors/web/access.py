"""Every view says who may open it. A view that does not say so fails the check of all addresses.

`@access("case.view")` asks the post acted in for that right before the view runs. Other views say so:
`scope="anyone"` (no log-in), `scope="account"` (whoever is logged in, about her own account) and
`scope="post"` (whoever acts in a post, about that post).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, Literal

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from bihuan.doors.web import errors
from bihuan.registry import access as registry_access
from bihuan.registry import scope
from bihuan.registry.errors import BihuanError

View = Callable[..., HttpResponseBase]
Scope = Literal["anyone", "account", "post", "territory"]


@dataclass(frozen=True, slots=True)
class Declared:
    """What a view declared: the right asked for, within what, and whether it shows personal data."""

    name: str
    right: str | None
    scope: Scope
    personal: bool


#: Every declared view, by module and name. The matrix test enumerates it.
DECLARED: Final[dict[str, Declared]] = {}

#: Views of other packages, by URL name: what holds for them.
FOREIGN: Final[dict[str, Scope]] = {"set_language": "anyone"}


def access(
    right: str | None = None, *, scope: Scope = "territory", personal: bool = False
) -> Callable[[View], View]:
    """Declare a view's access and keep it. Raises ValueError if a view of a territory names no right."""
    if right is None and scope == "territory":
        raise ValueError('A view of a territory names its right; else say scope="account" or another.')

    def declare(view: View) -> View:
        declared = Declared(f"{view.__module__}.{view.__name__}", right, scope, personal)
        DECLARED[declared.name] = declared

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                refused = _refusal(request, declared)
                if refused is not None:
                    return refused
                if request.method in ("GET", "HEAD"):
                    return view(request, *args, **kwargs)
                with transaction.atomic():  # an error takes back what the view wrote, and no more
                    return view(request, *args, **kwargs)
            except BihuanError as error:
                return errors.respond(request, error)

        guarded.declared_access = declared  # type: ignore[attr-defined]
        return guarded

    return declare


def _refusal(request: HttpRequest, declared: Declared) -> HttpResponse | None:
    if declared.scope == "anyone":
        return None
    if not request.user.is_authenticated:
        return _to_login(request)
    if declared.scope == "account":
        return None
    acting = scope.current()
    if acting is None:
        return redirect("web:no_post")
    if declared.right is not None:
        registry_access.require(declared.right, scope=acting)
    return None


def _to_login(request: HttpRequest) -> HttpResponse:
    """A whole page goes to the log-in; a piece asked for by htmx makes the page go there. What was sent too
    late is not recorded: she is told so, and comes back to where she wrote it."""
    if request.headers.get("HX-Request"):
        answer = HttpResponse(status=204)
        answer["HX-Refresh"] = "true"
        return answer
    if request.method in ("GET", "HEAD"):
        return redirect_to_login(request.get_full_path())
    messages.warning(request, _("You were no longer logged in: what you sent last was not recorded."))
    return redirect_to_login(errors.came_from(request))
