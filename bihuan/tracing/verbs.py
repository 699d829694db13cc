"""The verbs of tracing as data (see `cases.verbs`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.cases.verbs import AT, DUTY, NOTE, Field, Result, Verb
from bihuan.cases.verbs import VERBS as CASE_VERBS
from bihuan.registry.actor import Actor
from bihuan.tracing import actions
from bihuan.tracing.actions import assistance
from bihuan.tracing.actions.investigate import finish_investigation
from bihuan.tracing.models import EXPOSURE_LABELS, OUTCOME_LABELS, RETURN_LABELS
from bihuan.tracing.rules.assistance import ReturnReason

RIGHTS = ("contact.write", "duty.do")


def _locate(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    contact = actions.record_located(subject_id, at=given["at"], duty=given["duty"], actor=actor, now=now)
    return Result("contact.locate", "contact", contact.public_id, _("The person is found."))


def _investigate(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    names = ("at", "summary", "contacts_found", "no_track")
    told = {name: given[name] for name in names if given.get(name) is not None}
    case = finish_investigation(subject_id, actor=actor, now=now, **told)
    return Result("case.investigate", "case", case.public_id, _("The investigation is recorded."))


ASSIST = ("assistance.write",)
RETURNS = tuple((key, label) for key, label in RETURN_LABELS if key != ReturnReason.NOT_SERVED)
ANSWER_NOTE = Field("note", "long_text", gettext_lazy("What was found"), max_length=2000)


def _accept(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    wanted = assistance.AcceptInput(
        request=subject_id,
        territory_code=given["territory_code"],
        person=given["person"],
        confirm=bool(given["confirm"]),
        note=given["note"],
    )
    row = assistance.accept(wanted, actor=actor, now=now)
    contact = row.made_contact.public_id if row.made_contact else ""
    text = _("The request is accepted.")
    return Result("assistance.accept", "assistance", subject_id, text, {"contact": contact})


def _give_back(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    assistance.give_back(subject_id, reason=given["reason"], note=given["note"], actor=actor, now=now)
    text = _("The request went back; what it told is deleted here.")
    return Result("assistance.return", "assistance", subject_id, text)


def _assist_answer(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    assistance.answer(subject_id, outcome=given["outcome"], note=given["note"], actor=actor, now=now)
    return Result("assistance.answer", "assistance", subject_id, _("The answer is on its way."))


def _end(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    assistance.end(subject_id, actor=actor, now=now)
    text = _("The request has ended; the other side is asked to delete.")
    return Result("assistance.end", "assistance", subject_id, text)


def _delete(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    assistance.delete_now(subject_id, actor=actor, now=now)
    text = _("What was told is deleted; the other side is told so.")
    return Result("assistance.delete", "assistance", subject_id, text)


def _send(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    assistance.send_draft(subject_id, actor=actor, now=now)
    return Result("assistance.send", "assistance", subject_id, _("The request is sent."))


def _link(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    assistance.link(subject_id, contact=given["contact"], actor=actor, now=now)
    text = _("The request is about this contact again.")
    return Result("assistance.link", "assistance", subject_id, text, {"contact": given["contact"]})


def _settle(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    assistance.settle_lost(subject_id, actor=actor, now=now)
    text = _("Closed here: what was told is deleted, and nothing more is sent.")
    return Result("assistance.settle", "assistance", subject_id, text)


def _remind(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    pressed = assistance.remind(subject_id, actor=actor, now=now)
    text = _("The other side is reminded.") if pressed else _("The other side has everything that was said.")
    return Result("assistance.remind", "assistance", subject_id, text)


EXPOSURE = Field("kind", "choice", gettext_lazy("Kind of exposure"), choices=tuple(EXPOSURE_LABELS))

_ALL = (
    replace(CASE_VERBS["case.investigate"], run=_investigate),
    Verb(
        "contact.locate",
        gettext_lazy("Person found"),
        "contact",
        RIGHTS,
        (AT, DUTY),
        _locate,
        True,
        gettext_lazy("Found"),
    ),
    Verb(
        "assistance.accept",
        gettext_lazy("Accept the request"),
        "assistance",
        ASSIST,
        (
            Field(
                "territory_code",
                "text",
                gettext_lazy("Where the person is (code)"),
                help=gettext_lazy("Street or community of your territory. Empty: the whole of it."),
                max_length=64,
            ),
            Field(
                "person",
                "text",
                gettext_lazy("Known here as (P-…)"),
                help=gettext_lazy("Empty: registered from what the request tells."),
                max_length=20,
            ),
            Field("confirm", "boolean", gettext_lazy("Name the person a close contact here")),
            NOTE,
        ),
        _accept,
        adverse=True,
    ),
    Verb(
        "assistance.return",
        gettext_lazy("Send the request back"),
        "assistance",
        ASSIST,
        (Field("reason", "choice", gettext_lazy("Why"), required=True, choices=RETURNS), NOTE),
        _give_back,
    ),
    Verb(
        "assistance.answer",
        gettext_lazy("Answer the request"),
        "assistance",
        ASSIST,
        (
            Field(
                "outcome",
                "choice",
                gettext_lazy("Result"),
                required=True,
                choices=tuple(OUTCOME_LABELS),
            ),
            ANSWER_NOTE,
        ),
        _assist_answer,
    ),
    Verb(
        "assistance.end",
        gettext_lazy("End the request and have it deleted"),
        "assistance",
        ASSIST,
        (),
        _end,
    ),
    Verb("assistance.delete", gettext_lazy("Delete and confirm"), "assistance", ASSIST, (), _delete),
    Verb("assistance.send", gettext_lazy("Send the request"), "assistance", ASSIST, (), _send),
    Verb(
        "assistance.link",
        gettext_lazy("Name the contact it is about"),
        "assistance",
        ASSIST,
        (Field("contact", "text", gettext_lazy("Contact here (K-…)"), required=True, max_length=20),),
        _link,
    ),
    Verb(
        "assistance.settle",
        gettext_lazy("Close: the other side has lost it"),
        "assistance",
        ASSIST,
        (),
        _settle,
    ),
    Verb("assistance.remind", gettext_lazy("Remind the other side"), "assistance", ASSIST, (), _remind),
)
VERBS: dict[str, Verb] = {verb.key: verb for verb in _ALL}
