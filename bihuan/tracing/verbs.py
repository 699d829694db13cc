"""The verbs of tracing as data (see `cases.verbs`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.cases.verbs import AT, DUTY, Field, Result, Verb
from bihuan.registry.actor import Actor
from bihuan.tracing import actions
from bihuan.tracing.models import EXPOSURE_LABELS

RIGHTS = ("contact.write", "duty.do")


def _locate(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    contact = actions.record_located(subject_id, at=given["at"], duty=given["duty"], actor=actor, now=now)
    return Result("contact.locate", "contact", contact.public_id, _("The person is found."))


EXPOSURE = Field("kind", "choice", gettext_lazy("Kind of exposure"), choices=tuple(EXPOSURE_LABELS))

_ALL = (
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
)
VERBS: dict[str, Verb] = {verb.key: verb for verb in _ALL}
