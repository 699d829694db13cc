"""Who is said to have infected whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize_all, moment_now, writing
from bihuan.cases.models import Case
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.tracing.errors import ContactInvalid
from bihuan.tracing.models import CaseLink
from bihuan.tracing.rules import ExposureKind


@dataclass(frozen=True, slots=True)
class LinkInput:
    """`from_case` and `to_case` are public ids; `source` says which document or interview tells it."""

    from_case: str
    to_case: str
    kind: str = ExposureKind.UNKNOWN.value
    setting: str = ""
    source: str = ""


def link_cases(links: Sequence[LinkInput], *, actor: Actor, now: datetime | None = None) -> int:
    """Record links between cases; a link known already stays as it is. Returns how many were new.

    Raises ContactInvalid naming the rows whose cases are unknown or the same.
    """
    at = moment_now(now)
    wanted = {end for link in links for end in (link.from_case, link.to_case)}
    with scope.system():  # a link may cross the border of a territory; writing it is judged below
        rows = Case.objects.filter(public_id__in=wanted).values_list("public_id", "id", "territory_code")
        known = {public_id: (pk, code) for public_id, pk, code in rows}
    _refuse_unknown(links, known)
    authorize_all("contact.write", (known[link.to_case][1] for link in links))
    made = [
        CaseLink(
            from_case_id=known[link.from_case][0],
            to_case_id=known[link.to_case][0],
            territory_code=known[link.to_case][1],
            kind=link.kind,
            setting=link.setting,
            source=link.source,
            recorded_at=at,
        )
        for link in links
    ]
    with writing(actor):
        before = CaseLink.unscoped.count()
        CaseLink.unscoped.bulk_create(made, ignore_conflicts=True, batch_size=2000)
        return CaseLink.unscoped.count() - before


def _refuse_unknown(links: Sequence[LinkInput], known: dict[str, tuple[int, str]]) -> None:
    errors = []
    for row, link in enumerate(links):
        for name in ("from_case", "to_case"):
            if getattr(link, name) not in known:
                text = _("There is no case %(id)s.") % {"id": getattr(link, name)}
                errors.append({"row": row, "field": name, "rule": "unknown", "message": text, "hint": ""})
        if link.from_case == link.to_case:
            text = _("A case cannot have infected itself.")
            errors.append({"row": row, "field": "to_case", "rule": "same", "message": text, "hint": ""})
    if errors:
        raise ContactInvalid(
            _("%(n)s things are wrong; nothing was recorded.") % {"n": len(errors)}, errors=errors
        )
