"""Play an outbreak: every step of its stories is done through the rooms' own actions, on a fast clock.

Time goes forward in windows of six hours. In a window the day's sweep comes first (it makes the duties of the
day), then what was done is recorded, each fact with its own time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby

from django.conf import settings
from django.db import transaction
from django.utils import translation

from bihuan.care import actions as care
from bihuan.care.models import Order
from bihuan.cases import actions as cases
from bihuan.drill.queries import running_orders
from bihuan.drill.rules import CaseStory, ContactStory, Outbreak, Scenario, SyntheticPerson, play_out
from bihuan.drill.setting import (
    CONTROL_FROM,
    COUNTY,
    COUNTY_SHARE,
    NEXT_COUNTIES,
    NOW,
    SEED,
    START,
    TOWN,
)
from bihuan.drill.visits import phone_of
from bihuan.loops import actions as loops
from bihuan.policy.values import value
from bihuan.registry import clock, posts, scope, stamps, territory
from bihuan.registry.actor import Actor
from bihuan.registry.errors import BihuanError
from bihuan.registry.people import PersonInput
from bihuan.tracing import actions as tracing

WINDOW = timedelta(hours=6)
# What is recorded for many places at once is recorded by nobody in particular.
CLINICS, INVESTIGATORS, WORKERS = (
    Actor.system(name, door="drill")
    for name in ("发热门诊（演练）", "疾控流调（演练）", "社区工作者（演练）")
)
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Played:
    """What the drill brought into the house."""

    cases: int
    contacts: int
    checks: int
    refused: int


@dataclass(frozen=True, order=True)
class Step:
    """One thing to do: in which window, at what time."""

    window: datetime
    at: datetime
    kind: str = field(compare=False)
    case: CaseStory | None = field(default=None, compare=False)
    contact: ContactStory | None = field(default=None, compare=False)


# First whoever appears (in rounds, as one appears through another), then what is recorded about them.
_APPEARING = ("report", "contacts", "located", "placed", "convert")
_RECORDED = (
    "reported", "isolated", "reviewed", "tested", "concluded", "transferred", "admitted", "investigated",
    "outcome", "follow_up",
)  # fmt: skip


def scenario(seed: int = SEED, now: datetime = NOW) -> Scenario:
    return Scenario(seed=seed, start=START, now=now, control_from=CONTROL_FROM)


def homes() -> tuple[list[tuple[str, str]], list[float]]:
    """Communities people live in, and how likely each is: the drill's county first, its town most of all."""
    places, weights = [], []
    for county in (COUNTY, *NEXT_COUNTIES):
        for street in territory.children(county):
            here = territory.children(street.code)
            share = COUNTY_SHARE if county == COUNTY else (1 - COUNTY_SHARE) / len(NEXT_COUNTIES)
            for community in here:
                code = f"{community.code}-01" if street.code == TOWN else community.code
                places.append((code, community.name))
                weights.append(share * (4.0 if street.code == TOWN else 1.0) / len(here))
    return places, weights


def play(given: Scenario | None = None, *, progress: Progress = lambda share, day: None) -> Played:
    """Play the scenario to its `now` and leave the clock there. The system acts, under the posts' names, and
    in the language of the house, whoever starts it."""
    chosen = given or scenario()
    outbreak = play_out(chosen, *homes())
    with scope.system(), stamps.steady(), translation.override(settings.LANGUAGE_CODE):
        player = _Player(outbreak)
        for share, day in player.run():
            progress(share, day)
    clock.set_to(chosen.now)
    return player.result()


class _Unknown(Exception):
    """A step about somebody whose story has not reached the house: an earlier step was refused."""


class _Player:
    def __init__(self, outbreak: Outbreak) -> None:
        self.outbreak = outbreak
        self.end = outbreak.scenario.now
        self.draw = random.Random(outbreak.scenario.seed + 1)
        self.case_ids: dict[str, str] = {}
        self.contact_ids: dict[str, str] = {}
        self.observed: dict[str, ContactStory] = {}
        self.overdue: dict[str, ContactStory] = {}
        self.named = 0
        self.checks = 0
        self.refused = 0
        self.actors: dict[tuple[str, str], Actor] = {}

    def result(self) -> Played:
        return Played(len(self.case_ids), self.named, self.checks, self.refused)

    # --- the way through time --------------------------------------------------------------------------

    def run(self) -> Iterator[tuple[float, str]]:
        steps = sorted(self._steps())
        first = steps[0].window
        by_window = {window: list(group) for window, group in groupby(steps, key=lambda step: step.window)}
        windows = int((self.end - first) / WINDOW) + 1
        for n in range(windows):
            window = first + n * WINDOW
            self.now = min(window + WINDOW - timedelta(seconds=1), self.end)
            with clock.frozen(self.now), transaction.atomic():
                if _is_midnight(window):
                    loops.replan(now=window, actor=Actor.system("drill"))
                    care.sweep(window)
                self._window([step for step in by_window.get(window, ()) if step.at <= self.end])
                self._watch(window)
            yield (n + 1) / windows, window.strftime("%m-%d")
        with clock.frozen(self.end):
            care.sweep(self.end)

    def _window(self, steps: Sequence[Step]) -> None:
        waiting = [step for step in steps if step.kind in _APPEARING]
        while ready := self._ready(waiting):
            waiting = [step for step in waiting if step not in ready]
            self._do(ready[0].kind, ready)
        self.refused += len(waiting)
        for kind in _RECORDED:
            self._do(kind, [step for step in steps if step.kind == kind])

    def _ready(self, waiting: Sequence[Step]) -> list[Step]:
        """The steps of the first kind that somebody can take: those about people who are known by now."""
        known: dict[str, Callable[[Step], bool]] = {
            "report": lambda step: True,
            "contacts": lambda step: step.contact is not None and step.contact.case_key in self.case_ids,
            "located": lambda step: self._is_contact(step),
            "placed": lambda step: self._is_contact(step),
            "convert": lambda step: step.contact is not None and step.contact.person.key in self.observed,
        }
        for kind in _APPEARING:
            ready = [step for step in waiting if step.kind == kind and known[kind](step)]
            if ready:
                return ready
        return []

    def _is_contact(self, step: Step) -> bool:
        return step.contact is not None and step.contact.person.key in self.contact_ids

    def _steps(self) -> Iterator[Step]:
        converted = {c.person.key for c in self.outbreak.contacts if c.became_case}
        for case in self.outbreak.cases:
            if case.person.key not in converted:
                yield self._step("report", case.diagnosed_at, case=case)
            for kind, at in _case_steps(case):
                yield self._step(kind, at, case=case)
        for contact in self.outbreak.contacts:
            yield self._step("contacts", contact.confirmed_at, contact=contact)
            yield self._step("located", contact.located_at, contact=contact)
            yield self._step("placed", contact.placed_at, contact=contact)
            if contact.became_case:
                ill = self._story(contact.person.key)
                yield self._step("convert", ill.diagnosed_at, contact=contact, case=ill)

    def _step(self, kind: str, at: datetime, **whom: CaseStory | ContactStory) -> Step:
        return Step(_window(at), at, kind, **whom)  # type: ignore[arg-type]

    def _story(self, key: str) -> CaseStory:
        return next(case for case in self.outbreak.cases if case.person.key == key)

    def _do(self, kind: str, steps: Sequence[Step]) -> None:
        if not steps:
            return
        bulk = getattr(self, f"_all_{kind}", None)
        if bulk is not None and self._taken(lambda: bulk(steps)):
            return
        one = (lambda step: bulk([step])) if bulk is not None else getattr(self, f"_{kind}")
        for step in steps:
            self.refused += not self._taken(partial(one, step))

    def _taken(self, do: Callable[[], None]) -> bool:
        """Whether the rooms took it; they refuse what cannot be, such as a check of someone released."""
        try:
            with transaction.atomic():
                do()
        except (BihuanError, _Unknown):
            return False
        return True

    def _actor(self, code: str, *functions: str) -> Actor:
        key = (code, functions[0])
        if key not in self.actors:
            found = posts.resolve_owner(functions, code, at=self.now)
            self.actors[key] = Actor(None, found.post_id, posts.get(found.post_id).label, "drill")
        return self.actors[key]

    # --- cases -----------------------------------------------------------------------------------------

    def _all_report(self, steps: Sequence[Step]) -> None:
        stories = [step.case for step in steps if step.case]
        inputs = [_case_input(story) for story in stories]
        made = cases.report_cases(inputs, actor=CLINICS, now=self.now)
        for story, (_pk, public_id) in zip(stories, made.cases, strict=True):
            self.case_ids[story.person.key] = public_id

    def _case_id(self, step: Step) -> str:
        assert step.case is not None
        if step.case.person.key not in self.case_ids:
            raise _Unknown
        return self.case_ids[step.case.person.key]

    def _case_actor(self, step: Step, *functions: str) -> Actor:
        assert step.case is not None
        return self._actor(step.case.person.territory_code, *functions)

    def _reported(self, step: Step) -> None:
        actor = self._case_actor(step, "clinic_report")
        cases.record_reported(self._case_id(step), at=step.at, actor=actor, now=self.now)

    def _reviewed(self, step: Step) -> None:
        actor = self._case_actor(step, "cdc_report_review")
        cases.record_review(self._case_id(step), at=step.at, actor=actor, now=self.now)

    def _investigated(self, step: Step) -> None:
        story = step.case
        assert story is not None
        named = sum(contact.case_key == story.person.key for contact in self.outbreak.contacts)
        actor = self._case_actor(step, "cdc_investigation")
        cases.record_investigation(
            self._case_id(step),
            at=step.at,
            summary=story.source_text,
            contacts_found=named,
            no_track="other_system",  # the drill knows the tracks; it keeps none here
            actor=actor,
            now=self.now,
        )
        if story.infector in self.case_ids:
            link = tracing.LinkInput(
                self.case_ids[story.infector], self._case_id(step), kind=story.setting, source="流行病学调查"
            )
            tracing.link_cases([link], actor=actor, now=self.now)

    def _isolated(self, step: Step) -> None:
        actor = self._case_actor(step, "clinic_report")
        cases.record_isolation(self._case_id(step), at=step.at, actor=actor, now=self.now)

    def _tested(self, step: Step) -> None:
        actor = self._case_actor(step, "sampling")
        sampled = step.at - timedelta(hours=2)
        cases.record_test(
            self._case_id(step), result="negative", sampled=sampled, at=step.at, actor=actor, now=self.now
        )

    def _concluded(self, step: Step) -> None:
        """A second negative test: the suspected case is excluded, and its contacts are free."""
        actor = self._case_actor(step, "clinic_report")
        freed = care.exclude_case(
            self._case_id(step), reason="两次核酸阴性", at=step.at, actor=actor, now=self.now
        )
        self._forget(set(freed))

    def _forget(self, contact_ids: set[str]) -> None:
        """These contacts are free: their stories end here."""
        for key in [key for key, contact_id in self.contact_ids.items() if contact_id in contact_ids]:
            del self.contact_ids[key]
            self.observed.pop(key, None)
            self.overdue.pop(key, None)

    def _transferred(self, step: Step) -> None:
        actor = self._case_actor(step, "transfer_team")
        cases.record_transfer(self._case_id(step), at=step.at, actor=actor, now=self.now)

    def _admitted(self, step: Step) -> None:
        actor = self._case_actor(step, "hospital_admission")
        facility = posts.get(actor.post_id).organization if actor.post_id else ""
        cases.record_admission(self._case_id(step), at=step.at, facility=facility, actor=actor, now=self.now)

    def _outcome(self, step: Step) -> None:
        assert step.case is not None
        actor = self._case_actor(step, "hospital_admission")
        cases.record_outcome(
            self._case_id(step), outcome=step.case.outcome, at=step.at, actor=actor, now=self.now
        )

    def _follow_up(self, step: Step) -> None:
        actor = self._case_actor(step, "hospital_follow_up")
        care.record_follow_up(
            self._case_id(step), at=step.at, week=2, result="negative", actor=actor, now=self.now
        )

    # --- contacts --------------------------------------------------------------------------------------

    def _all_contacts(self, steps: Sequence[Step]) -> None:
        stories = [step.contact for step in steps if step.contact]
        inputs = [_contact_input(story, self.case_ids[story.case_key]) for story in stories]
        made = tracing.confirm_contacts(inputs, actor=INVESTIGATORS, now=self.now)
        for story, (_pk, public_id) in zip(stories, made.contacts, strict=True):
            self.contact_ids[story.person.key] = public_id
        self.named += len(stories)

    def _contact_id(self, step: Step) -> str:
        assert step.contact is not None
        if step.contact.person.key not in self.contact_ids:
            raise _Unknown
        return self.contact_ids[step.contact.person.key]

    def _all_located(self, steps: Sequence[Step]) -> None:
        found = {self._contact_id(step): step.at for step in steps}
        tracing.record_all_located(found, actor=WORKERS, now=self.now)

    def _all_placed(self, steps: Sequence[Step]) -> None:
        orders = [
            care.OrderInput(
                contact=self._contact_id(step),
                kind=step.contact.kind,
                started=step.at,
                approver=self._actor(step.contact.person.territory_code, "command").name,
            )
            for step in steps
            if step.contact is not None
        ]
        care.order_observations(orders, actor=WORKERS, now=self.now, placed=True)
        self.observed |= {s.contact.person.key: s.contact for s in steps if s.contact is not None}

    def _convert(self, step: Step) -> None:
        assert step.contact is not None
        assert step.case is not None
        story = step.case
        facts = replace(_case_input(story), person="")
        actor = self._case_actor(step, "clinic_report")
        made = care.convert_contact_to_case(
            self._contact_id(step),
            facts,
            at=step.at,
            classification=story.classification,
            actor=actor,
            now=self.now,
        )
        self.case_ids[story.person.key] = made.public_id
        self.observed.pop(story.person.key, None)

    # --- the daily watch over those observed -------------------------------------------------------------

    def _watch(self, window: datetime) -> None:
        """Checks, tests, referrals and releases of this window for everybody under observation."""
        if not self.observed:
            return
        orders = running_orders(list(map(self.contact_ids.__getitem__, self.observed)))
        inputs = [
            check
            for key, story in self.observed.items()
            if (order := orders.get(self.contact_ids[key])) is not None
            for check in self._checks(story, order.start_at, order.end_at, window)
        ]
        if inputs:
            signs = care.record_daily_checks(inputs, actor=WORKERS, now=self.now)
            self.checks += len(inputs)
            self._refer([given.contact for given, ill in zip(inputs, signs, strict=True) if ill])
        self._test_and_release(orders, window)

    def _checks(
        self, story: ContactStory, start: datetime, end: datetime, window: datetime
    ) -> Iterator[care.CheckInput]:
        code = story.person.territory_code
        kinds = [("temperature", "observation.temperature_slots")]
        if story.kind == "home":
            kinds.append(("follow_up", "observation.follow_up_slots"))
        for kind, key in kinds:
            for slot in value(key, code, window).value:
                due = _slot(window, slot, territory.tz_of(code))
                done = due - timedelta(minutes=self.draw.uniform(5, 100))
                if not (window <= due < window + WINDOW and start < done < min(end, self.end)):
                    continue
                if self.draw.random() > story.compliance:
                    done = due + timedelta(minutes=self.draw.uniform(20, 240))  # late, or never
                    if self.draw.random() < 0.3 or done > min(end, self.now):
                        continue
                ill = story.fever_from is not None and done >= story.fever_from
                celsius = self.draw.uniform(37.4, 38.8) if ill else self.draw.gauss(36.5, 0.2)
                yield care.CheckInput(
                    contact=self.contact_ids[story.person.key],
                    kind=kind,
                    at=done,
                    value=round(min(celsius, 37.2) if not ill else celsius, 1)
                    if kind == "temperature"
                    else None,
                )

    def _refer(self, ill: Sequence[str]) -> None:
        for contact_id in ill:
            at = min(self.now - WINDOW + timedelta(minutes=self.draw.uniform(200, 350)), self.now)
            actor = self._actor(COUNTY, "transfer_team")
            care.record_referral(contact_id, at=at, to="发热门诊", actor=actor, now=self.now)

    def _test_and_release(self, orders: Mapping[str, Order], window: datetime) -> None:
        sampler = self._actor(COUNTY, "sampling")
        for key, story in list(self.observed.items()):
            contact_id = self.contact_ids[key]
            order = orders.get(contact_id)
            if order is None:  # its end came without a release: somebody still owes that
                self.overdue[key] = self.observed.pop(key)
                continue
            local = window.astimezone(clock.zone(territory.tz_of(story.person.territory_code)))
            if local.hour == 12 and local.date() in order.tests_on and self.draw.random() < 0.93:
                at = min(window + timedelta(minutes=self.draw.uniform(10, 300)), self.now)
                care.record_contact_test(contact_id, result="negative", at=at, actor=sampler, now=self.now)
            over = self.now >= order.end_at - timedelta(hours=6) and local.date() >= order.last_day
            if over and self.draw.random() >= self.outbreak.scenario.slip_share:
                self._release(contact_id, story, key)
        for key, story in list(self.overdue.items()):
            if self.draw.random() < 0.4:
                self._release(self.contact_ids[key], story, key)

    def _release(self, contact_id: str, story: ContactStory, key: str) -> None:
        actor = self._actor(story.person.territory_code, "street_quarantine")
        try:
            care.release_contact(contact_id, at=self.now, actor=actor, now=self.now)
        except BihuanError:
            self.refused += 1
            self.overdue.pop(key, None)
            return
        self.observed.pop(key, None)
        self.overdue.pop(key, None)


def _case_steps(case: CaseStory) -> Iterator[tuple[str, datetime]]:
    yield "reported", case.reported_at
    yield "isolated", case.isolated_at
    yield "reviewed", case.reviewed_at
    yield "investigated", case.investigated_at
    if case.classification == "suspected":
        yield "tested", case.tested_at
        yield "concluded", case.concluded_at
        return
    yield "transferred", case.admitted_at - timedelta(minutes=25)
    yield "admitted", case.admitted_at
    yield "outcome", case.outcome_at
    if case.outcome == "recovered":
        yield "follow_up", case.outcome_at + timedelta(days=14, hours=-6)


def _window(at: datetime) -> datetime:
    """The six-hour window (18, 0, 6, 12 UTC: 2, 8, 14, 20 in China would split a working day badly, so
    windows begin at 16, 22, 4, 10 UTC: local 0, 6, 12, 18) that holds an instant."""
    shifted = at + timedelta(hours=8)
    floor = shifted.replace(hour=shifted.hour // 6 * 6, minute=0, second=0, microsecond=0)
    return floor - timedelta(hours=8)


def _is_midnight(window: datetime) -> bool:
    return (window + timedelta(hours=8)).hour == 0


def _slot(window: datetime, slot: str, tz: str) -> datetime:
    """A slot's instant on the local day of the window."""
    local = window.astimezone(clock.zone(tz))
    hour, minute = (int(part) for part in slot.split(":"))
    return local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(hours=hour, minutes=minute)


def _person_input(person: SyntheticPerson, on: datetime) -> PersonInput:
    return PersonInput(
        territory_code=person.territory_code,
        name=person.name,
        sex=person.sex,
        age_years=person.age,
        age_reported_on=on.date(),
        address=person.address,
        phone=phone_of(person.key),
        occupation=person.occupation,
        source="drill",
        local_id=person.key,
    )


def _case_input(story: CaseStory) -> cases.CaseInput:
    confirmed = story.diagnosed_at if story.classification == "confirmed" else None
    return cases.CaseInput(
        person=_person_input(story.person, story.diagnosed_at),
        territory_code=story.person.territory_code,
        classification=story.classification,
        severity=story.severity,
        local_id=f"SY-{story.diagnosed_at:%m%d}-{story.person.key[1:]}",
        date_onset=story.onset_at.date(),
        date_visit=story.diagnosed_at - timedelta(hours=5),
        date_diagnosis=story.diagnosed_at,
        date_confirmation=confirmed,
        origin=story.origin,
        source_text=story.source_text,
    )


def _contact_input(story: ContactStory, case_id: str) -> tracing.ContactInput:
    return tracing.ContactInput(
        person=_person_input(story.person, story.confirmed_at),
        territory_code=story.person.territory_code,
        case=case_id,
        exposure_kind=story.setting,
        exposure_last=story.last_exposure_at.date(),
        criterion="流行病学调查确认",
        confirmed=story.confirmed_at,
        local_id=story.person.key,
    )
