"""Where the case may have been infected: put down, and judged as more becomes known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import moment_now, stamp, writing
from bihuan.cases.models import Case
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.tracing.actions.investigate.life import locked, too_long, wrong
from bihuan.tracing.models import HYPOTHESIS_LABELS, STANDING_LABELS, Place, SourceHypothesis

_KINDS = {key for key, _label in HYPOTHESIS_LABELS}
_STANDINGS = {key for key, _label in STANDING_LABELS}


@dataclass(frozen=True, slots=True)
class HypothesisInput:
    """`kind` and `standing` as the models list them; `case` and `place` are public ids (C-…, L-…)."""

    kind: str
    standing: str = "possible"
    case: str = ""
    place: str = ""
    text: str = ""
    reasons: str = ""


def add_hypothesis(
    investigation_id: str, given: HypothesisInput, *, actor: Actor, now: datetime | None = None
) -> SourceHypothesis:
    """One possible source more; the same sent twice stands once. Raises InvestigationInvalid naming the
    field."""
    at = moment_now(now)
    _refuse(given)
    with writing(actor):
        found = locked(investigation_id)
        with scope.system():  # a source may live elsewhere: its number is enough to name it
            case = Case.objects.filter(public_id=given.case).first() if given.case else None
            place = Place.objects.filter(public_id=given.place).first() if given.place else None
        if given.case and case is None:
            raise wrong("case", "unknown", _("There is no case %(id)s.") % {"id": given.case})
        if case is not None and case.pk == found.case_id:
            raise wrong("case", "same", _("A case cannot have infected itself."))
        if given.place and place is None:
            raise wrong("place", "unknown", _("There is no place %(id)s.") % {"id": given.place})
        facts = {
            "kind": given.kind, "standing": given.standing, "case": case, "place": place,
            "text": given.text.strip(), "reasons": given.reasons.strip(),
        }  # fmt: skip
        same = SourceHypothesis.objects.filter(investigation=found, **facts).first()
        if same is not None:
            return same
        return SourceHypothesis.objects.create(
            investigation=found,
            territory_code=found.territory_code,
            recorded_at=at,
            **facts,
            **stamp(actor),
        )


def judge_hypothesis(
    investigation_id: str,
    hypothesis_id: int,
    *,
    standing: str,
    reasons: str = "",
    actor: Actor,
    now: datetime | None = None,
) -> SourceHypothesis:
    """How it stands now, and why; what was thought before stays in its history."""
    if standing not in _STANDINGS:
        raise wrong("standing", "choice", _("%(value)s is not allowed here.") % {"value": standing})
    too_long("reasons", reasons, 600)
    with writing(actor):
        found = locked(investigation_id)
        rows = SourceHypothesis.objects.filter(investigation=found)
        one = rows.filter(id=hypothesis_id).first() if 0 < hypothesis_id < 1 << 63 else None
        if one is None:
            raise wrong("hypothesis", "unknown", _("There is no such hypothesis in this investigation."))
        if standing == "ruled_out" and not reasons.strip():
            raise wrong("reasons", "required", _("Say what rules it out."))
        one.standing = standing
        if reasons.strip():
            one.reasons = reasons.strip()
        one.save(update_fields=["standing", "reasons"])
        return one


def _refuse(given: HypothesisInput) -> None:
    if given.kind not in _KINDS:
        raise wrong("kind", "choice", _("%(value)s is not allowed here.") % {"value": given.kind})
    if given.standing not in _STANDINGS:
        raise wrong("standing", "choice", _("%(value)s is not allowed here.") % {"value": given.standing})
    too_long("text", given.text, 300)
    too_long("reasons", given.reasons, 600)
    if given.kind == "case" and not given.case:
        raise wrong("case", "required", _("Give the number of the case."))
    if given.kind == "place" and not given.place and not given.text.strip():
        raise wrong("text", "required", _("Say which place or event."))
