"""Organizations, posts, and who holds them."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from bihuan.registry import clock, posts, stamps, territory
from bihuan.registry.access import require
from bihuan.registry.actions.staffing import (
    Establishment,
    ensure_administration,
    establish,
    establish_city,
    establish_county,
    establish_province,
    establish_street,
)
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, Invalid, NotFound
from bihuan.registry.models.account import Account
from bihuan.registry.models.organization import (
    Assignment,
    Organization,
    OrganizationKind,
    Post,
    PostFunction,
    Role,
)

__all__ = [
    "Establishment",
    "assign",
    "assign_by_name",
    "create_account",
    "create_organization",
    "create_post",
    "delegate",
    "end_assignment",
    "ensure_administration",
    "establish",
    "establish_city",
    "establish_county",
    "establish_province",
    "establish_street",
    "set_password",
]


def create_organization(
    *, name: str, kind: str, territory_code: str, actor: Actor, name_en: str = ""
) -> Organization:
    """Create an organization; one of the same name and kind at the same territory is returned as it is."""
    require("account.admin", territory_code=territory_code)
    _check_choice(kind, OrganizationKind.values, "kind")
    if territory_code:
        territory_code = territory.resolve(territory_code).code
    found, _created = Organization.objects.get_or_create(
        name=name, kind=kind, territory_code=territory_code, defaults={"name_en": name_en}
    )
    return found


def create_post(
    *,
    organization: Organization,
    title: str,
    function: str,
    role: str,
    actor: Actor,
    territory_code: str | None = None,
    title_en: str = "",
    duty_hours: dict[str, object] | None = None,
) -> Post:
    """Create a post of an organization; its scope is `territory_code` (None = the organization's)."""
    code = organization.territory_code if territory_code is None else territory_code
    require("account.admin", territory_code=code)
    _check_choice(function, PostFunction.values, "function")
    _check_choice(role, list(Role.objects.values_list("key", flat=True)), "role")
    found, _created = Post.objects.get_or_create(
        organization=organization,
        title=title,
        function=function,
        territory_code=code,
        defaults={"title_en": title_en, "role_id": role, "duty_hours": duty_hours or {}},
    )
    stamps.look_again()
    return found


@transaction.atomic
def create_account(
    *,
    username: str,
    password: str | None,
    actor: Actor,
    display_name: str = "",
    post_ids: tuple[int, ...] = (),
    language: str = "zh-hans",
    check_password: bool = True,
) -> Account:
    """Create an account and put it in posts from now on. Raises Conflict for a name that is taken.

    `check_password` False is for demo accounts whose password is printed on the screen.
    """
    require("account.admin")
    if password is not None and check_password:
        _check_password(password, Account(username=username, display_name=display_name))
    try:
        with transaction.atomic():
            account = Account.objects.create_user(
                username, password, display_name=display_name, language=language
            )
    except IntegrityError:
        raise Conflict(_("The username %(name)s is taken.") % {"name": username}) from None
    for post_id in post_ids:
        assign(account_id=account.pk, post_id=post_id, actor=actor)
    return account


def set_password(*, username: str, password: str, actor: Actor) -> None:
    """Give an account a new password."""
    require("account.admin")
    account = Account.objects.filter(username=username).first()
    if account is None:
        raise NotFound(_("There is no account %(name)s.") % {"name": username})
    _check_password(password, account)
    account.set_password(password)
    account.save(update_fields=["password"])


def assign(
    *,
    account_id: int,
    post_id: int,
    actor: Actor,
    from_at: datetime | None = None,
    to_at: datetime | None = None,
    reason: str = "",
) -> Assignment:
    """Put an account in a post from an instant (None = now); an assignment in force is returned as it is."""
    post = posts.get(post_id)
    require("account.admin", territory_code=post.territory_code)
    at = from_at or clock.now()
    held = [h for h in posts.held_by(account_id, at=at) if h.post.id == post_id and not h.delegated]
    if held:
        return Assignment.objects.get(pk=held[0].assignment_id)
    return Assignment.objects.create(
        post_id=post_id, account_id=account_id, from_at=at, to_at=to_at, reason=reason
    )


def assign_by_name(*, username: str, post: str, actor: Actor) -> Assignment:
    """Put the account of a username in a post (by public id) from now on."""
    account = Account.objects.filter(username=username).first()
    if account is None:
        raise NotFound(_("There is no account %(name)s.") % {"name": username})
    return assign(account_id=account.pk, post_id=posts.by_public_id(post).id, actor=actor)


def delegate(
    *,
    assignment_id: int,
    to_account_id: int,
    until: datetime,
    reason: str,
    actor: Actor,
    from_at: datetime | None = None,
) -> Assignment:
    """Lend a post that one holds to another account until an instant. The holder may, an administrator too.

    What was lent cannot be lent on. It ends at `until`, or with the assignment it was lent from.
    """
    origin = _assignment(assignment_id)
    at = from_at or clock.now()
    if actor.account_id != origin.account_id:
        require("account.admin", territory_code=origin.post.territory_code)
    if origin.delegated_from_id is not None:
        raise Conflict(_("A post that was lent cannot be lent on."), hint=_("Ask who holds it to lend it."))
    if to_account_id == origin.account_id or not reason.strip() or until <= at:
        raise Invalid(
            _("A delegation needs another account, a reason, and an end after its start."),
            errors=[{"field": "reason", "rule": "delegation", "message": "", "hint": ""}],
        )
    ends = min(until, origin.to_at) if origin.to_at else until
    return Assignment.objects.create(
        post_id=origin.post_id,
        account_id=to_account_id,
        from_at=at,
        to_at=ends,
        delegated_from=origin,
        reason=reason.strip(),
    )


def end_assignment(*, assignment_id: int, actor: Actor, at: datetime | None = None) -> None:
    """End an assignment (and with it what was lent from it) at an instant (None = now)."""
    found = _assignment(assignment_id)
    if actor.account_id != found.account_id or found.delegated_from_id is None:
        require("account.admin", territory_code=found.post.territory_code)
    moment = at or clock.now()
    if moment <= found.from_at:
        raise Invalid(_("An assignment cannot end before it began."))
    Assignment.objects.filter(pk=found.pk).update(to_at=moment)


def _assignment(assignment_id: int) -> Assignment:
    found = Assignment.objects.select_related("post").filter(pk=assignment_id).first()
    if found is None:
        raise NotFound(_("There is no assignment %(id)s.") % {"id": assignment_id})
    return found


def _check_choice(value: str, allowed: list[str], field: str) -> None:
    if value not in allowed:
        raise Invalid(
            _("“%(value)s” is not a %(field)s.") % {"value": value, "field": field},
            errors=[{"field": field, "rule": "known", "message": value, "hint": ", ".join(sorted(allowed))}],
            hint=_("Allowed: %(allowed)s.") % {"allowed": ", ".join(sorted(allowed))},
        )


def _check_password(password: str, account: Account) -> None:
    try:
        validate_password(password, account)
    except ValidationError as error:
        raise Invalid(
            _("This password is too easy to guess."),
            errors=[
                {"field": "password", "rule": "password", "message": m, "hint": ""} for m in error.messages
            ],
            hint=" ".join(error.messages),
        ) from None
