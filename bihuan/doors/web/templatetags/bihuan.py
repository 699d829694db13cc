"""What templates need beyond Django's own: the ring, bars, times as people say them, built assets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.http import QueryDict
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from bihuan.doors.web import drawing, places, vite, words
from bihuan.registry import clock
from bihuan.registry.text import label, name_of

register = template.Library()

register.simple_tag(drawing.icon, name="icon")
register.simple_tag(drawing.logo, name="logo")
register.filter("label", label)


@register.simple_tag
def ring(
    stages: Sequence[drawing.RingStage],
    size: int = 38,
    number: Any = "",
    under: str = "",
    fresh: bool = False,
) -> SafeString:
    return drawing.ring(stages, size=size, number=figure(number), under=str(under), fresh=fresh)


@register.simple_tag
def bar(
    done: float = 0, soon: float = 0, late: float = 0, total: float = 0, thick: bool = False
) -> SafeString:
    title = _("%(done)s in time, %(soon)s due soon, %(late)s late") % {
        "done": done,
        "soon": soon,
        "late": late,
    }
    return drawing.bar(
        (("done", done), ("soon", soon), ("late", late)),
        total=total or done + soon + late,
        title=title,
        thick=thick,
    )


@register.simple_tag
def share_bar(value: float, total: float, state: str = "fact", title: str = "") -> SafeString:
    return drawing.bar(((state, value),), total=total, title=title or f"{value} / {total}")


@register.simple_tag
def curve(days: Sequence[drawing.CurveDay], title: str) -> SafeString:
    return drawing.curve(days, title=title)


@register.filter
def figure(value: Any) -> str:
    """1284 as 1,284; text as it is; nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.1f}"
    if isinstance(value, (int, float)):
        return f"{int(value):,}"
    return str(value)


@register.filter
def percent(value: float | None) -> str:
    """0.9864 as 98.6%; what cannot be counted as a dash. Never rounded up to 100%."""
    if value is None:
        return "–"
    shown = round(value * 100, 1)
    if shown == 100 and value < 1:
        shown = 99.9
    return f"{shown:g}%"


def _time(text: str, at: datetime, precision: str = "minute") -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', at.isoformat(), words.exact(at, precision=precision), text
    )


@register.filter
def when(at: datetime | date | None, precision: str = "minute") -> SafeString | str:
    """今天 22:40, exact on hover; a calendar date without time."""
    if at is None:
        return "–"
    now = clock.now()
    if not isinstance(at, datetime):
        today = words.timezone.localtime(now).date()
        return format_html(
            '<time datetime="{0}" title="{0}">{1}</time>', at.isoformat(), words.say_date(at, today=today)
        )
    return _time(words.say_when(at, now, precision=precision or "minute"), at, precision or "minute")


@register.filter
def due(at: datetime | None) -> SafeString | str:
    """A deadline: 今天 22:40, 2月26日 24:00."""
    return "–" if at is None else _time(words.say_due(at, clock.now()), at)


@register.filter
def span(length: timedelta | None) -> str:
    return "–" if length is None else words.say_span(length)


@register.filter
def name_for(thing: Any) -> str:
    """The name of a territory, organization or post in the reader's language."""
    return name_of(
        getattr(thing, "name", "") or getattr(thing, "title", ""),
        getattr(thing, "name_en", "") or getattr(thing, "title_en", ""),
    )


@register.filter
def below(code: str) -> str:
    """The names of a territory below the one acted in: 花果街道 头堰社区."""
    return places.below(code)


@register.filter
def get(mapping: Mapping[str, Any], key: str) -> Any:
    return mapping.get(key)


@register.simple_tag(takes_context=True)
def query(context: Mapping[str, Any], **changes: Any) -> str:
    """The address's question part with some values changed: lists keep filter, sort and place there."""
    request = context["request"]
    params: QueryDict = request.GET.copy()
    for key, value in changes.items():
        if value in (None, ""):
            params.pop(key, None)
        else:
            params[key] = str(value)
    text = params.urlencode()
    return f"?{text}" if text else request.path


@register.simple_tag
def assets(entry: str) -> SafeString:
    script, styles = vite.built(entry)
    return format_html(
        '{}<script type="module" src="{}"></script>',
        format_html_join("", '<link rel="stylesheet" href="{}">', ((static(css),) for css in styles)),
        static(script),
    )


@register.filter
def policy_group(key: str) -> str:
    """The heading of a group of policy keys, from the first word of one of them."""
    first = key.split(".")[0]
    return {
        "appeal": _("Appeals"),
        "arrival": _("Arrivals"),
        "asymptomatic": _("Asymptomatic infections"),
        "case": _("Case definitions"),
        "categories": _("Four categories"),
        "clocks": _("Deadlines"),
        "cluster": _("Clusters"),
        "contact": _("Contacts"),
        "daily_clearing": _("Same-day clearance"),
        "discharge": _("Discharge and after"),
        "early_response": _("Early response"),
        "errand": _("Errands"),
        "escalation": _("Climbing"),
        "fever_clinic": _("Fever clinics"),
        "focus": _("Foci"),
        "follow_up": _("Follow-up"),
        "gate": _("Gates"),
        "grid": _("Grid"),
        "home_care": _("Care at home"),
        "home_observation": _("Observation at home"),
        "incident": _("Incidents"),
        "incubation": _("Incubation"),
        "indicators": _("Indicators"),
        "institution": _("Institutions"),
        "observation": _("Observation"),
        "pathway": _("Pathways"),
        "placement": _("Placement"),
        "readiness": _("Readiness"),
        "response": _("Response"),
        "retention": _("How long data are kept"),
        "school": _("Schools"),
        "suspected": _("Suspected cases"),
        "temperature": _("Temperature"),
        "travel": _("Travel"),
    }.get(first, first.replace("_", " "))


@register.filter
def case_word(code: str) -> str:
    """A code of a case or contact in the reader's language; an unknown one as it stands."""
    return str(_codes().get(str(code), code))


def _codes() -> dict[str, str]:
    return {
        "suspected": _("Suspected case"),
        "probable": _("Probable case"),
        "confirmed": _("Confirmed case"),
        "clinically_diagnosed": _("Clinically diagnosed case"),
        "asymptomatic": _("Asymptomatic infection"),
        "discarded": _("Discarded"),
        "none": _("No symptoms"),
        "mild": _("Mild"),
        "moderate": _("Moderate"),
        "severe": _("Severe"),
        "critical": _("Critical"),
        "in_care": _("In care"),
        "recovered": _("Recovered"),
        "died": _("Died"),
        "unknown": _("Unknown"),
        "imported": _("Imported"),
        "import_linked": _("Linked to an imported case"),
        "local": _("Local"),
        "exported_notice": _("Notice about a person elsewhere"),
        "under_investigation": _("Under investigation"),
        "positive": _("Positive"),
        "negative": _("Negative"),
        "inconclusive": _("Inconclusive"),
        "pending": _("Pending"),
        "M": _("male"),
        "F": _("female"),
        "O": _("other"),
        "U": _("unknown"),
        "completed": _("Completed"),
        "lost": _("Not found"),
        "ongoing": _("Ongoing"),
        "became_case": _("Became a case"),
        "insufficient": _("Not enough known"),
        "general": _("General contact"),
        "released": _("Released"),
        "handed_over": _("Handed over"),
        "candidate": _("To be assessed"),
    }
