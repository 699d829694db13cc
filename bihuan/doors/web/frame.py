"""What stands around every page: where I am, what time it is here, which policy holds, where I can go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from bihuan.doors.web import posts as own_posts
from bihuan.policy import packs
from bihuan.registry import access, clock, scope, territory

THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class NavItem:
    """`current`: "page" where it leads to this very page, "true" where this page lies below it, else ""."""

    label: str
    href: str
    current: str
    icon: str = ""
    count: int = 0


#: (URL name, label, right needed); groups are parted by a line. Labels are marked in `_labels`.
GROUPS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("my_duties", "duty.view"), ("board", "board.view")),
    (
        ("cases", "case.view"),
        ("contacts", "contact.view"),
        ("investigations", "investigation.view"),
        ("assistance", "assistance.view"),
        ("chains", "case.view"),
        ("duties", "duty.view"),
        ("clearance", "board.view"),
    ),
    (("gate_choice", "visits.record"), ("places", "place.write"), ("visits", "audit.view")),
    (
        ("importing", "import.run"),
        ("policy", "policy.view"),
        ("reads", "audit.view"),
        ("peers", "account.admin"),
    ),
)
TABS = (
    ("my_duties", "duty.view", "duties"),
    ("board", "board.view", "board"),
    ("gate_choice", "visits.record", "gate"),
    ("people", "person.view", "people"),
    ("settings", "", "me"),
)


def _labels() -> dict[str, str]:
    return {
        "my_duties": _("My duties"),
        "board": _("Board"),
        "cases": _("Cases"),
        "contacts": _("Contacts"),
        "investigations": _("Investigations"),
        "assistance": _("Assistance"),
        "chains": _("Chains"),
        "duties": _("All duties"),
        "clearance": _("Same-day clearance"),
        "gate_choice": _("Gates"),
        "places": _("Places"),
        "visits": _("Visit store"),
        "importing": _("Import"),
        "policy": _("Policy"),
        "reads": _("Who looked"),
        "peers": _("Other installations"),
        "people": _("People"),
        "settings": _("Me"),
    }


class Frame:
    """Read by templates; every part is worked out when it is first asked for."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.scope = scope.current()

    @cached_property
    def now(self) -> datetime:
        from django.utils import timezone

        return timezone.localtime(clock.now())

    @property
    def clock_moved(self) -> bool:
        reading = clock.read()
        return reading.movable and abs(reading.offset.total_seconds()) > 60

    @property
    def theme(self) -> str:
        theme = self.request.COOKIES.get("theme", "")
        return theme if theme in THEMES else ""

    @property
    def wall(self) -> bool:
        return self.request.GET.get("screen") == "wall"

    @property
    def account(self) -> str:
        user = self.request.user
        return str(user) if user.is_authenticated else ""

    @property
    def lo(self) -> str:
        return self.scope.lo if self.scope else ""

    @cached_property
    def place(self) -> str:
        return place_name(self.lo)

    @cached_property
    def policy(self) -> str:
        """The narrowest pack in force here and now; the page behind it shows all layers."""
        if self.scope is None:
            return ""
        layers = packs.in_force(self.lo, self.now).layers
        return layers[0].id if layers else ""

    @property
    def glass(self) -> str | None:
        return self.scope.glass if self.scope else None

    @cached_property
    def posts(self) -> list[own_posts.PostChoice]:
        return own_posts.choices(self.request)

    @cached_property
    def _post(self) -> own_posts.PostChoice | None:
        return next((post for post in self.posts if post.current), None)

    @property
    def post_title(self) -> str:
        return self._post.title if self._post else ""

    @property
    def organization(self) -> str:
        return self._post.organization if self._post else ""

    @property
    def may_break_glass(self) -> bool:
        return self._may("glass.break")

    @property
    def mails(self) -> bool:
        """Whether anything can be mailed from here, such as a link to a new password."""
        return bool(settings.BIHUAN_MAIL_URL)

    @property
    def demo_accounts(self) -> list[own_posts.DemoAccount]:
        return own_posts.demo_accounts() if settings.BIHUAN_MODE == "demo" else []

    @property
    def demo_password(self) -> str:
        return own_posts.cast.PASSWORD

    def _may(self, right: str) -> bool:
        return self.scope is not None and (not right or access.may(self.scope, right).allowed)

    @cached_property
    def nav(self) -> list[list[NavItem]]:
        groups = [[self._item(name) for name, right in group if self._may(right)] for group in GROUPS]
        return [group for group in groups if group]

    @cached_property
    def tabs(self) -> list[NavItem]:
        return [self._item(name, icon) for name, right, icon in TABS if self._may(right)]

    def _item(self, name: str, icon: str = "") -> NavItem:
        label, href = _("Duties") if icon == "duties" else _labels()[name], reverse(f"web:{name}")
        current = "page" if href == self.request.path else "true" if href == self._section else ""
        return NavItem(label, href, current, icon)

    @cached_property
    def _section(self) -> str:
        """The address of the menu that the page lies below, the longest that fits."""
        names = {name for group in GROUPS for name, _right in group} | {name for name, _right, _icon in TABS}
        addresses = [reverse(f"web:{name}") for name in names]
        above = [address for address in addresses if self.request.path.startswith(address)]
        return max(above, key=len, default="")


def place_name(code: str) -> str:
    """The name of a territory as a heading; the whole tree has none of its own."""
    found = territory.find(code) if code else None
    return found.label if found else (code or _("All territories"))


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor."""
    return {"frame": SimpleLazyObject(lambda: Frame(request))}
