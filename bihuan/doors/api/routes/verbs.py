"""Verbs: what can be done to a case, contact, order or appeal, described as data, and doing it."""

from typing import Annotated, Any, Literal

from django.utils.translation import ngettext
from ninja import Router, Schema
from pydantic import Field

from bihuan.care.verbs import VERBS, Verb, perform, perform_many
from bihuan.cases.verbs import Field as VerbField
from bihuan.cases.verbs import Result
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.shapes import Done, told

router = Router()
MOST = 2000
"""Subjects in one bulk call: our own rule."""

Kind = Literal["cases", "contacts", "orders", "appeals"]
Subject = Literal["case", "contact", "order", "appeal"]
Fields = Annotated[dict[Annotated[str, Field(max_length=60)], Any], Field(max_length=40)]
#: The rights that any verb asks for; the action checks the verb's own, with the territory.
RIGHTS = tuple(sorted({right for verb in VERBS.values() for right in verb.rights}))


class ChoiceOut(Schema):
    value: str
    label: str


class FieldOut(Schema):
    """One field of a verb. `type`: moment, date, text, long_text, choice, choices, number, integer, boolean.

    A default "now" stands for the moment of the call.
    """

    name: str
    type: str
    label: str
    required: bool
    default: str | int | float | bool | None
    choices: list[ChoiceOut]
    help: str
    low: float | None
    high: float | None
    step: float | None
    unit: str
    max_length: int


class VerbOut(Schema):
    """`adverse`: it restricts a person, so it is never done in bulk. `rights`: one of them is needed."""

    key: str
    label: str
    subject: str
    rights: list[str]
    adverse: bool
    in_bulk: bool
    fields: list[FieldOut]


class Verbs(Schema):
    items: list[VerbOut]


class VerbIn(Schema):
    fields: Fields = {}


class VerbManyIn(VerbIn):
    subjects: list[Annotated[str, Field(max_length=20)]] = Field(min_length=1, max_length=MOST)


class ManyDone(Schema):
    items: list[Done]
    message: str


@operation(router, "GET", "/verbs", right=("policy.view", *RIGHTS), response=Verbs)
def list_verbs(call: Call, subject: Subject | None = None) -> Verbs:
    """What can be done, and the fields each verb takes"""
    found = [verb for verb in VERBS.values() if subject in (None, verb.subject)]
    return Verbs(items=[_verb(verb) for verb in found])


@operation(router, "POST", "/{kind}/verbs/{verb}", right=RIGHTS, response=ManyDone)
def perform_verb_on_many(call: Call, kind: Kind, verb: str, body: VerbManyIn) -> ManyDone:
    """Do a verb to many subjects with the same fields, all or none

    What restricts a person is decided one by one and refused here. An error names its `subject`.
    """
    subjects = list(dict.fromkeys(body.subjects))
    results = perform_many(verb, kind[:-1], subjects, body.fields, call.actor)
    n = len(results)
    return ManyDone(
        items=[_done(result) for result in results],
        message=ngettext("Done for %(n)s.", "Done for %(n)s.", n) % {"n": n},
    )


@operation(router, "POST", "/{kind}/{subject}/verbs/{verb}", right=RIGHTS, response=Done)
def perform_verb(call: Call, kind: Kind, subject: str, verb: str, body: VerbIn) -> Done:
    """Do a verb to a case, contact, order or appeal"""
    return _done(perform(verb, kind[:-1], subject, body.fields, call.actor))


def _done(result: Result) -> Done:
    return Done(message=result.message, subject=result.subject_id, data=told(result.data))


def _verb(verb: Verb) -> VerbOut:
    return VerbOut(
        key=verb.key,
        label=str(verb.label),
        subject=verb.subject,
        rights=list(verb.rights),
        adverse=verb.adverse,
        in_bulk=not verb.adverse,
        fields=[_field(field) for field in verb.fields],
    )


def _field(field: VerbField) -> FieldOut:
    return FieldOut(
        name=field.name,
        type=field.type,
        label=str(field.label),
        required=field.required and field.default is None,
        default=field.default,
        choices=[ChoiceOut(value=value, label=str(text)) for value, text in field.choices],
        help=str(field.help),
        low=field.low,
        high=field.high,
        step=field.step,
        unit=field.unit,
        max_length=field.max_length,
    )
