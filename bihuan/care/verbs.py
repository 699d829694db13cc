"""All verbs a door offers on cases, contacts, orders and appeals, and the one way to do any of them.

VERBS                      every verb by key
offered(subject_kind)      those that can be done to a case, contact, order or appeal
perform(key, ...)          read the data, do it, return a Result
perform_many(key, ids,...) the same data for many subjects in one transaction
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.care import actions
from bihuan.care.models import CHECK_LABELS, ORDER_KIND_LABELS, SYMPTOM_LABELS, Appeal, Order
from bihuan.care.queries.answered import still_owed
from bihuan.care.rules import CheckKind, ReleaseReason
from bihuan.cases.actions import CaseInput
from bihuan.cases.actions.common import moment_now, zone_of
from bihuan.cases.models import CLASSIFICATION_LABELS, Case, Test
from bihuan.cases.rules import Classification
from bihuan.cases.verbs import (
    AT,
    DUTY,
    FACILITY,
    NOTE,
    REASON,
    RESULT,
    SAMPLED,
    Field,
    Label,
    Result,
    Verb,
    read,
)
from bihuan.cases.verbs import VERBS as CASE_VERBS
from bihuan.registry import clock
from bihuan.registry.actor import Actor
from bihuan.registry.errors import BihuanError, Conflict, NotFound
from bihuan.tracing.actions import record_exposure
from bihuan.tracing.models import AssistanceRequest, Contact
from bihuan.tracing.verbs import EXPOSURE
from bihuan.tracing.verbs import VERBS as TRACING_VERBS

__all__ = ["CHECK_LABELS", "VERBS", "Field", "Result", "Verb", "offered", "perform", "perform_many"]

RIGHTS = ("contact.write", "duty.do")


def _place(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    wanted = actions.OrderInput(
        contact=subject_id,
        kind=given["kind"],
        started=given["at"],
        place=given["place"],
        evidence=given["evidence"],
        approver=given["approver"],
        review_on=given["review_on"],
    )
    order = actions.record_placed(wanted, actor=actor, now=now)
    until = order.last_day.isoformat()
    data = {"order": order.public_id, "last_day": until}
    return Result(
        "contact.place",
        "contact",
        subject_id,
        _("Under observation until the end of %(day)s.") % {"day": until},
        data,
    )


def _extend(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    with transaction.atomic():
        moved = record_exposure(
            subject_id,
            last=given["last"],
            first=given["first"],
            kind=given["kind"] or "unknown",
            case=given["case"],
            actor=actor,
            now=now,
        )
        if not moved:
            return Result(
                "contact.expose", "contact", subject_id, _("Recorded; the last exposure did not move.")
            )
        order = actions.extend_observation(
            subject_id, evidence=given["evidence"], approver=given["approver"], actor=actor, now=now
        )
    until = order.last_day.isoformat()
    text = _("Observation now lasts until the end of %(day)s.") % {"day": until}
    return Result(
        "contact.expose", "contact", subject_id, text, {"order": order.public_id, "last_day": until}
    )


def _lengthen(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    order = actions.extend_observation(
        subject_id,
        evidence=given["evidence"],
        approver=given["approver"],
        kind=given["kind"] or "",
        actor=actor,
        now=now,
    )
    until = order.last_day.isoformat()
    text = _("Observation now lasts until the end of %(day)s.") % {"day": until}
    return Result(
        "contact.extend", "contact", subject_id, text, {"order": order.public_id, "last_day": until}
    )


def _withdraw_naming(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    fallen = actions.withdraw_exposure(
        subject_id, case=given["case"], reason=given["reason"], actor=actor, now=now
    )
    text = _("Withdrawn; other exposures oblige as before.")
    if fallen.released:
        text = _("Withdrawn; nothing else obliges, the person is released.")
    last = fallen.shortened.get(subject_id)
    if last is not None:
        text = _("Withdrawn; observation now ends with %(day)s.") % {"day": last.isoformat()}
    data = {"released": bool(fallen.released), "last_day": last.isoformat() if last else None}
    return Result("contact.withdraw", "contact", subject_id, text, data)


def _check(kinds: tuple[CheckKind, ...], key: str):  # type: ignore[no-untyped-def]
    def run(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
        inputs = [
            actions.CheckInput(
                contact=subject_id,
                kind=kind.value,
                at=given["at"],
                value=given.get("value") if kind == CheckKind.TEMPERATURE else None,
                symptoms=given["symptoms"] if kind == kinds[-1] else (),
                note=given["note"],
                duty=given["duty"] if len(kinds) == 1 else "",
            )
            for kind in kinds
        ]
        ill = any(actions.record_daily_checks(inputs, actor=actor, now=now))
        text = _("A sign of illness: test and refer at once.") if ill else _("The check is recorded.")
        return Result(key, "contact", subject_id, text, {"symptomatic": ill})

    return run


def _test(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    test = actions.record_contact_test(
        subject_id,
        result=given["result"],
        at=given["at"],
        sampled=given["sampled"],
        duty=given["duty"],
        actor=actor,
        now=now,
    )
    text = _test_said(subject_id, test)
    return Result("contact.test", "contact", subject_id, text, {"test": test.public_id})


def _test_said(contact_id: str, test: Test) -> str:
    """That a test is recorded, and which day's test stays owed when it answers none."""
    owed = still_owed(Contact.objects.get(public_id=contact_id), test)
    if owed is None:
        return _("The test is recorded.")
    if owed.is_unclear:
        text = _("The test is recorded. It is not conclusive: the test of %(day)s stays owed.")
    else:
        text = _("The test is recorded. It was taken before %(day)s and does not stand for that day's test.")
    return text % {"day": owed.day.isoformat()}


def _refer(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    actions.record_referral(subject_id, at=given["at"], to=given["facility"], actor=actor, now=now)
    return Result("contact.refer", "contact", subject_id, _("The referral is recorded."))


def _release(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    actions.release_contact(
        subject_id, reason=given["reason"], text=given["text"], at=given["at"], actor=actor, now=now
    )
    return Result("contact.release", "contact", subject_id, _("Released."))


def _move(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    order = actions.record_moved(subject_id, at=given["at"], actor=actor, now=now)
    until = order.last_day.isoformat()
    text = _("At home now, until the end of %(day)s.") % {"day": until}
    return Result("contact.move", "contact", subject_id, text, {"order": order.public_id, "last_day": until})


def _lost(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    actions.record_lost(
        subject_id, reason=given["reason"], at=given["at"], final=given["final"], actor=actor, now=now
    )
    return Result("contact.lost", "contact", subject_id, _("Recorded; a search is owed now."))


def _convert(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    facts = CaseInput(
        person="",
        territory_code="",
        classification=given["classification"],
        date_onset=given["date_onset"],
        date_report=given["date_report"],
        local_id=given["local_id"],
    )
    case = actions.convert_contact_to_case(subject_id, facts, at=given["at"], actor=actor, now=now)
    text = _("The contact is now case %(id)s.") % {"id": case.public_id}
    return Result("contact.convert", "case", case.public_id, text, {"case": case.public_id})


def _not_a_case(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    actions.record_not_a_case(subject_id, reason=given["reason"], at=given["at"], actor=actor, now=now)
    return Result("contact.clear", "contact", subject_id, _("Recorded: not a case."))


def _exclude(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    released = actions.exclude_case(subject_id, reason=given["reason"], at=given["at"], actor=actor, now=now)
    text = _("Excluded; %(n)s contacts are released.") % {"n": len(released)}
    return Result("case.exclude", "case", subject_id, text, {"released": released})


def _revise(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    """Revising to "discarded" is excluding, with what follows for the contacts."""
    with transaction.atomic():
        result = CASE_VERBS["case.revise"].run(subject_id, given, actor, now)
        if given.get("classification") != Classification.DISCARDED:
            return result
        at = moment_now(now)
        case = Case.objects.get(public_id=subject_id)
        released = actions.release_contacts_of_excluded(case.id, actor=actor, now=at)
        return replace(result, data={"released": released})


def _follow_up(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    actions.record_follow_up(
        subject_id,
        at=given["at"],
        week=given["week"],
        result=given["result"],
        symptoms=given["symptoms"],
        note=given["note"],
        duty=given["duty"],
        actor=actor,
        now=now,
    )
    return Result("case.follow_up", "case", subject_id, _("The follow-up is recorded."))


def _appeal(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    appeal = actions.file_appeal(
        subject_id, text=given["text"], filed_by=given["filed_by"], actor=actor, now=now
    )
    due = appeal.due_at.astimezone(zone_of(appeal.territory_code)).strftime("%Y-%m-%d %H:%M")
    text = _("The appeal is filed. Without an answer by %(due)s the order ends.") % {"due": due}
    return Result("order.appeal", "appeal", appeal.public_id, text, {"due_at": appeal.due_at.isoformat()})


def _answer(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    actions.decide_appeal(
        subject_id, decision=given["decision"], reason=given["reason"], actor=actor, now=now
    )
    return Result("appeal.decide", "appeal", subject_id, _("The appeal is answered."))


def _withdraw(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    actions.withdraw_appeal(subject_id, actor=actor, now=now)
    return Result("appeal.withdraw", "appeal", subject_id, _("The appeal is withdrawn."))


TEMPERATURE = Field(
    "value", "number", gettext_lazy("Temperature"), required=True, low=30, high=45, step=0.1, unit="°C"
)
SYMPTOMS = Field("symptoms", "choices", gettext_lazy("Symptoms"), choices=tuple(SYMPTOM_LABELS))
KIND = Field("kind", "choice", gettext_lazy("Where"), required=True, choices=tuple(ORDER_KIND_LABELS))
STAYS = gettext_lazy("Left empty, where the person is now.")
PLACE = Field("place", "text", gettext_lazy("Place"), max_length=200)
EVIDENCE = Field(
    "evidence", "text", gettext_lazy("Evidence"), help=gettext_lazy("Left empty, the contact record itself.")
)
APPROVER = Field(
    "approver",
    "text",
    gettext_lazy("Approved by"),
    max_length=120,
    help=gettext_lazy("Who decided. Left empty, whoever acts, if the post may decide."),
)
NOTHING: tuple[Field, ...] = ()
RELEASES: tuple[tuple[str, Label], ...] = (
    (ReleaseReason.COMPLETED.value, gettext_lazy("The days are over")),
    (ReleaseReason.GENERAL_CONTACT.value, gettext_lazy("Re-assessed as a general contact")),
    (ReleaseReason.DIED.value, gettext_lazy("Person died")),
)
ANSWERS: tuple[tuple[str, Label], ...] = (
    ("upheld", gettext_lazy("Upheld: the order ends")),
    ("rejected", gettext_lazy("Rejected: the order stands")),
)
# Turning a contact into a case restricts further, so its classification is always chosen by hand.
CASE_CLASSES = tuple(pair for pair in CLASSIFICATION_LABELS if pair[0] != Classification.DISCARDED.value)

_ALL = (
    Verb(
        "contact.place",
        gettext_lazy("Place under observation"),
        "contact",
        ("order.decide", *RIGHTS),
        (KIND, AT, PLACE, APPROVER, EVIDENCE, Field("review_on", "date", gettext_lazy("Review on"))),
        _place,
        adverse=True,
    ),
    Verb(
        "contact.expose",
        gettext_lazy("A further exposure"),
        "contact",
        ("order.decide",),
        (
            Field("last", "date", gettext_lazy("Last exposure"), required=True),
            Field("first", "date", gettext_lazy("First exposure")),
            EXPOSURE,
            Field("case", "text", gettext_lazy("Source case"), max_length=20),
            replace(EVIDENCE, required=True),
            APPROVER,
        ),
        _extend,
        adverse=True,
    ),
    Verb(
        "contact.extend",
        gettext_lazy("Extend the observation"),
        "contact",
        ("order.decide", *RIGHTS),
        (replace(EVIDENCE, required=True), replace(KIND, required=False, help=STAYS), APPROVER),
        _lengthen,
        adverse=True,
    ),
    Verb(
        "contact.lost",
        gettext_lazy("Person not found"),
        "contact",
        ("contact.write",),
        (REASON, AT, Field("final", "boolean", gettext_lazy("Give up the search"), default=False)),
        _lost,
    ),
    Verb(
        "contact.check",
        gettext_lazy("Temperature and follow-up"),
        "contact",
        RIGHTS,
        (TEMPERATURE, SYMPTOMS, AT, NOTE, DUTY),
        _check((CheckKind.TEMPERATURE, CheckKind.FOLLOW_UP), "contact.check"),
    ),
    Verb(
        "contact.temperature",
        gettext_lazy("Take the temperature"),
        "contact",
        RIGHTS,
        (TEMPERATURE, SYMPTOMS, AT, NOTE, DUTY),
        _check((CheckKind.TEMPERATURE,), "contact.temperature"),
    ),
    Verb(
        "contact.follow_up",
        gettext_lazy("Follow up at home"),
        "contact",
        RIGHTS,
        (SYMPTOMS, AT, NOTE, DUTY),
        _check((CheckKind.FOLLOW_UP,), "contact.follow_up"),
        True,
        gettext_lazy("Well, no symptoms"),
    ),
    Verb(
        "contact.test", gettext_lazy("Record a test"), "contact", RIGHTS, (RESULT, AT, SAMPLED, DUTY), _test
    ),
    Verb(
        "contact.refer",
        gettext_lazy("Taken to a clinic"),
        "contact",
        RIGHTS,
        (AT, FACILITY),
        _refer,
        True,
        gettext_lazy("Referred"),
    ),
    Verb(
        "contact.move",
        gettext_lazy("Came home from the site"),
        "contact",
        RIGHTS,
        (AT,),
        _move,
        True,
        gettext_lazy("Came home"),
    ),
    Verb(
        "contact.release",
        gettext_lazy("Release"),
        "contact",
        RIGHTS,
        (
            Field(
                "reason",
                "choice",
                gettext_lazy("Reason"),
                choices=RELEASES,
                default=ReleaseReason.COMPLETED.value,
            ),
            AT,
            Field("text", "text", gettext_lazy("Note")),
        ),
        _release,
        True,
        gettext_lazy("Released"),
    ),
    Verb(
        "contact.convert",
        gettext_lazy("Turn into a case"),
        "contact",
        ("case.write",),
        (
            Field(
                "classification",
                "choice",
                gettext_lazy("Classification"),
                required=True,
                choices=CASE_CLASSES,
            ),
            AT,
            Field("date_onset", "date", gettext_lazy("Onset")),
            Field("date_report", "moment", gettext_lazy("Report")),
            Field("local_id", "text", gettext_lazy("Case number"), max_length=80),
        ),
        _convert,
        adverse=True,
    ),
    Verb("contact.clear", gettext_lazy("Not a case"), "contact", ("case.write",), (REASON, AT), _not_a_case),
    Verb("case.exclude", gettext_lazy("Exclude the case"), "case", ("case.write",), (REASON, AT), _exclude),
    Verb(
        "contact.withdraw",
        gettext_lazy("Withdraw an exposure"),
        "contact",
        ("contact.write",),
        (
            Field(
                "case",
                "text",
                gettext_lazy("Source case (C-…)"),
                help=gettext_lazy("Whom the person was no contact of. Empty: the only source."),
                max_length=20,
            ),
            REASON,
        ),
        _withdraw_naming,
    ),
    replace(CASE_VERBS["case.revise"], run=_revise),
    Verb(
        "case.follow_up",
        gettext_lazy("Follow up after discharge"),
        "case",
        ("case.write", "duty.do"),
        (
            AT,
            Field("week", "integer", gettext_lazy("Week"), low=0, high=104),
            replace(RESULT, required=False),
            SYMPTOMS,
            NOTE,
            DUTY,
        ),
        _follow_up,
    ),
    Verb(
        "order.appeal",
        gettext_lazy("File an appeal"),
        "order",
        ("appeal.file",),
        (
            Field("text", "long_text", gettext_lazy("What the person says"), required=True, max_length=4000),
            Field("filed_by", "text", gettext_lazy("Filed by"), required=True, max_length=120),
        ),
        _appeal,
    ),
    Verb(
        "appeal.decide",
        gettext_lazy("Answer the appeal"),
        "appeal",
        ("appeal.decide",),
        (
            Field("decision", "choice", gettext_lazy("Answer"), required=True, choices=ANSWERS),
            replace(REASON, help=gettext_lazy("The person reads it on her own page: name nobody else.")),
        ),
        _answer,
    ),
    Verb(
        "appeal.withdraw", gettext_lazy("Withdraw the appeal"), "appeal", ("appeal.file",), NOTHING, _withdraw
    ),
)
VERBS: dict[str, Verb] = {**CASE_VERBS, **TRACING_VERBS, **{verb.key: verb for verb in _ALL}}
MODELS = {"case": Case, "contact": Contact, "order": Order, "appeal": Appeal, "assistance": AssistanceRequest}


def offered(subject_kind: str) -> list[Verb]:
    """The verbs that can be done to a case, contact, order or appeal."""
    return [verb for verb in VERBS.values() if verb.subject == subject_kind]


def perform(
    key: str,
    subject_kind: str,
    subject_id: str,
    data: Mapping[str, Any],
    actor: Actor,
    now: datetime | None = None,
) -> Result:
    """Do the verb `key` to a subject. `data` as a form or a request sent it: text, or typed values.

    Raises NotFound for an unknown verb or subject, CaseInvalid with one error per field, and what the
    action raises. A naive time is local time at the subject's place.
    """
    verb = _verb(key, subject_kind)
    return verb.run(subject_id, read(verb, data, _zone(subject_kind, subject_id)), actor, now)


def perform_many(
    key: str,
    subject_kind: str,
    subject_ids: Sequence[str],
    data: Mapping[str, Any],
    actor: Actor,
    now: datetime | None = None,
) -> list[Result]:
    """The same for many subjects, all or none. Refuses what restricts people: that is decided one by one.

    The error of a subject names it in `details["subject"]`.
    """
    verb = _verb(key, subject_kind)
    if verb.adverse:
        raise Conflict(
            _("%(verb)s is decided for each person separately.") % {"verb": verb.label}, code="not-in-bulk"
        )
    results = []
    with transaction.atomic():
        for subject_id in subject_ids:
            try:
                results.append(perform(key, subject_kind, subject_id, data, actor, now))
            except BihuanError as error:
                error.details["subject"] = subject_id
                raise
    return results


def _verb(key: str, subject_kind: str) -> Verb:
    verb = VERBS.get(key)
    if verb is None:
        raise NotFound(
            _("There is no verb %(key)s.") % {"key": key}, code="unknown-verb", hint=", ".join(sorted(VERBS))
        )
    if verb.subject != subject_kind:
        params = {"key": key, "kind": verb.subject}
        raise Conflict(_("%(key)s is done to a %(kind)s.") % params, code="wrong-subject")
    return verb


def _zone(subject_kind: str, subject_id: str) -> ZoneInfo:
    code = (
        MODELS[subject_kind]
        .objects.filter(public_id=subject_id)
        .values_list("territory_code", flat=True)
        .first()
    )
    return zone_of(code) if code is not None else clock.zone()
