"""The answer to "why": sentence, rule and layer, clause, evidence, until when, how it ends."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from bihuan.care.queries import OrderView
from bihuan.care.queries.words import END_LABELS, HOME_LABELS, ORDER_KIND_LABELS
from bihuan.doors.web import evidence, timeline, words
from bihuan.doors.web.shapes import Why
from bihuan.loops.queries import DutyRow
from bihuan.policy import packs
from bihuan.policy.queries import RuleRow
from bihuan.policy.values import Value, value
from bihuan.registry import access, clock, posts
from bihuan.registry.errors import BihuanError
from bihuan.registry.text import label


def language() -> str:
    return "zh" if words.reads_chinese() else "en"


def of_value(found: Value) -> Why:
    """A policy value, with the layers it covers."""
    library = packs.library()
    return Why(
        sentence=found.sentence(get_language() or "zh"),
        rule=found.key,
        value=found.words(language()),
        layer=label(library.pack(found.pack).title),
        source=label(found.source),
        clause=found.clause,
        confidence=found.confidence,
        more=[
            (
                _("Instead of %(layer)s") % {"layer": label(library.pack(lower.pack).title)},
                lower.words(language()),
            )
            for lower in found.chain
        ],
    )


def of_rule(found: RuleRow) -> Why:
    """A rule of the rule language: the sentence it means, where it stands, and the layers it covers."""
    return Why(
        sentence=found.sentence(language()),
        rule=found.key,
        layer=found.layer_title,
        source=found.source,
        clause=found.clause,
        confidence=found.confidence,
        more=[
            (_("Instead of %(layer)s") % {"layer": one.layer_title}, one.sentence) for one in found.overridden
        ],
    )


def of_duty(row: DutyRow, *, climbed: list[tuple[datetime, str]] | None = None) -> Why:
    """A duty: what it obliges whom to until when, by which rule of the policy its loop was opened under."""
    found = _value(row)
    now = clock.now()
    promise = _("%(owner)s owes “%(what)s” by %(due)s.") % {
        "owner": row.owner or _("Nobody"),
        "what": label(row.label),
        "due": words.say_due(row.due_at, now),
    }
    base = of_value(found) if found else Why(sentence="", rule=row.rule)
    more = [(_("The clock runs from"), _clock_words(row)), *base.more]
    asked = [key for key in row.evidence_asked if key != "at"]
    if asked:
        more.append((_("Evidence asked"), ", ".join(timeline.evidence_words(key) for key in asked)))
    if row.reason:
        more.append((_("Reason given"), row.reason))
    return Why(
        sentence=f"{promise} {base.sentence}".strip(),
        rule=row.rule,
        value=base.value,
        layer=base.layer or row.pack,
        source=base.source,
        clause=row.clause,
        confidence=base.confidence,
        evidence=[(_("the loop and its log"), reverse("web:loop", args=[row.loop]))],
        until=row.due_at,
        ends_earlier=_("When it is done, waived with a reason, or no longer follows from the facts."),
        owner=row.owner,
        fallback=row.owner_fallback,
        climbed=climbed or (),
        more=more,
    )


def _value(row: DutyRow) -> Value | None:
    if not row.rule:
        return None
    try:
        return packs.by_id(row.policy).value(row.rule)
    except BihuanError:
        return None


def _clock_words(row: DutyRow) -> str:
    at = words.say_when(row.opened_at, clock.now())
    if not row.clock_known:
        return _("the opening, %(at)s, as %(start)s is not known yet") % {
            "at": at,
            "start": timeline.event_words(row.clock),
        }
    return f"{timeline.event_words(row.clock)} · {at}" if row.clock != "opened" else at


def of_order(view: OrderView, *, herself: bool = False) -> Why:
    """A restriction of a person: why, by whom, until when, how it can end earlier, how to appeal.

    `herself`: as the person is told it, by the offices that decided, without what officials wrote as evidence
    (it may name others) and without ways to pages of posts.
    """
    order = view.order
    sentence = _("%(now)s, until the end of %(last)s.") % {
        "now": standing(view),
        "last": _said(order.last_day, inside=True),
    }
    found = _order_value(order.rule, order.territory_code, order.start_at)
    base = of_value(found) if found else Why(sentence="", rule=order.rule)
    ends = dict(END_LABELS)
    repeats = found is not None and order.clause in found.source.values()  # the source itself, not a clause
    waiting = view.appeal_waiting
    return Why(
        sentence=f"{sentence} {base.sentence}".strip(),
        rule=order.rule,
        value=base.value,
        layer=base.layer or order.pack,
        source=base.source,
        clause="" if repeats else order.clause,
        confidence=base.confidence,
        evidence=[]
        if herself
        else [(evidence.line(order.evidence), reverse("web:contact", args=[view.contact]))],
        until=order.ended_at or order.end_at,
        ends_earlier="; ".join(str(ends.get(reason, reason)) for reason in view.ends_earlier),
        appeal=_appeal_words(view),
        appeal_href=""
        if herself or waiting or order.ended_at or not access.may(None, "appeal.file")
        else reverse("web:act", args=["order", order.public_id, "order.appeal"]),
        more=[
            (_("Decided by"), _("%(approver)s, proposed by %(proposer)s") % {
                "approver": approving_office(view) if herself else order.approver,
                "proposer": _office(order.proposer_post_id, order.proposer) if herself else order.proposer}),
            (_("Reviewed on"), _said(order.review_on)),
            *_course(view),
        ],
    )  # fmt: skip


def approving_office(view: OrderView) -> str:
    """The post that approved an order; where it was named in writing, as it was written."""
    return _office(view.order.approver_post_id, view.order.approver)


def _office(post_id: int | None, name: str) -> str:
    found = posts.directory().by_id.get(post_id or 0)
    return found.label if found is not None else name


def standing_short(view: OrderView) -> str:
    """Where an order stands, for a chip: 集中医学观察 第 3 / 7 天."""
    words = _("%(kind)s, day %(day)s of %(days)s")
    return words % {"kind": _stage_word(view), "day": view.stage_day, "days": view.stage_days}


def is_held_on(view: OrderView) -> bool:
    """Whether the days at home run and nobody has said that the person came home."""
    return view.stage > 1 and not view.at_home


def _stage_word(view: OrderView) -> str:
    order = view.order
    labels = ORDER_KIND_LABELS if view.stage == 1 else HOME_LABELS
    word = order.kind if view.stage == 1 else order.home_kind
    return str(dict(labels).get(word, word))


def standing(view: OrderView) -> str:
    """Where an order stands: 集中医学观察 第 3 / 7 天（第 1 段，共 2 段）."""
    if view.stages == 1:
        return standing_short(view)
    kind = _stage_word(view)
    if is_held_on(view):
        kind = _("%(home)s (not brought home yet)") % {"home": kind}
    return _("%(kind)s, day %(day)s of %(days)s (stage %(stage)s of %(stages)s)") % {
        "kind": kind,
        "day": view.stage_day,
        "days": view.stage_days,
        "stage": view.stage,
        "stages": view.stages,
    }


def _course(view: OrderView) -> list[tuple[str, str]]:
    """From when the days count, when the stages turn, when the tests are."""
    order = view.order
    said = [(_("Day 0"), _said(order.day_zero))]
    if order.home_from is not None:
        kind = str(dict(ORDER_KIND_LABELS).get(order.kind, order.kind))
        home = str(dict(HOME_LABELS).get(order.home_kind, order.home_kind))
        first = order.home_from - timedelta(days=1)
        stages = _("%(kind)s until the end of %(first)s, then %(home)s until the end of %(last)s") % {
            "kind": kind,
            "first": _said(first, inside=True),
            "home": home,
            "last": _said(order.last_day, inside=True),
        }
        said.append((_("Stages"), stages))
    if order.moved_at is not None:
        said.append((_("Home from the site"), words.say_when(order.moved_at, clock.now())))
    if order.tests_on:
        said.append((_("Test days"), " · ".join(_said(day) for day in order.tests_on)))
    return said


def _said(day: date, *, inside: bool = False) -> str:
    return words.say_date(day, today=timezone.localtime(clock.now()).date(), inside=inside)


def _order_value(rule: str, code: str, at: datetime) -> Value | None:
    try:
        return value(rule, code, at)
    except BihuanError:
        return None


def _appeal_words(view: OrderView) -> str:
    waiting = view.appeal_waiting
    if waiting is not None:
        return _("Filed; without an answer by %(due)s the order ends.") % {
            "due": words.say_due(waiting.due_at, clock.now())
        }
    hours = _order_value("appeal.answer_hours", view.order.territory_code, view.order.start_at)
    if hours is None:
        return _("The person, or somebody for her, may appeal; unanswered in time, the order ends.")
    return _("Answered %(time)s; unanswered in time, the order ends.") % {"time": hours.words(language())}
