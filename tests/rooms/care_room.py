"""Short words for tests of cases, tracing and care: local times, people of the cast, duties of a subject."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.care import actions as care
from bihuan.cases.actions import CaseInput, report_case
from bihuan.cases.models import Case
from bihuan.loops.models import Duty, Loop
from bihuan.loops.queries import check
from bihuan.registry import clock, scope
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import ContactInput, confirm_contact
from bihuan.tracing.models import Contact
from tests.cast import GRID, Member

TZ = ZoneInfo("Asia/Shanghai")


def local(text: str) -> datetime:
    """ "02-14 10:00" of 2020, local time, as an aware instant."""
    return datetime.fromisoformat(f"2020-{text}").replace(tzinfo=TZ)


def zhou(**more: Any) -> PersonInput:
    return PersonInput(
        territory_code=GRID, name="周小明", sex="M", age_years=34, address="汉江路12号", **more
    )


def li(**more: Any) -> PersonInput:
    return PersonInput(territory_code=GRID, name="李芳", sex="F", age_years=41, **more)


def make_case(who: Member, at: str, **facts: Any) -> Case:
    """A case reported by `who` at a local time."""
    facts.setdefault("person", li())
    with who.acting(), clock.frozen(local(at)):
        return report_case(CaseInput(territory_code=GRID, **facts), actor=who.actor)


def make_contact(who: Member, at: str, **facts: Any) -> Contact:
    """A contact named by `who` at a local time."""
    facts.setdefault("person", zhou())
    with who.acting(), clock.frozen(local(at)):
        return confirm_contact(ContactInput(territory_code=GRID, **facts), actor=who.actor)


def do(who: Member, when: str, action: Any, *args: Any, **kwargs: Any) -> Any:
    """`who` does an action at a local time."""
    with who.acting(), clock.frozen(local(when)):
        return action(*args, actor=who.actor, **kwargs)


def sweep(at: str) -> care.CareSweep:
    """What the worker does at a local time."""
    return care.sweep(local(at))[0]


def duties(subject: str, *, state: int | None = None) -> dict[str, Duty]:
    with scope.system():
        rows = Duty.objects.filter(loop__subject_ref=subject).order_by("due_at", "id")
        return {duty.key: duty for duty in rows if state is None or duty.state == state}


def owed(subject: str) -> set[str]:
    """Kinds of duties open for a subject."""
    return {duty.kind for duty in duties(subject, state=0).values()}


def due(duty: Duty) -> str:
    return duty.due_at.astimezone(TZ).strftime("%m-%d %H:%M")


def loop_of(subject: str) -> Loop:
    with scope.system():
        return Loop.objects.get(subject_ref=subject)


def assert_holds() -> None:
    """The loop holds: nothing is in limbo and nothing is lost."""
    with scope.system():
        assert check().violations == []
