"""Forms of an investigation. They only collect; the room judges, and its errors come back to the fields."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.doors.web.forms import LOCAL_DAY, LOCAL_MINUTE
from bihuan.tracing.actions.investigate import EntryInput, HypothesisInput
from bihuan.tracing.queries.investigations import (
    CERTAINTY_LABELS,
    HYPOTHESIS_LABELS,
    SETTING_LABELS,
    SOURCE_LABELS,
    STANDING_LABELS,
    EntryView,
    InvestigationView,
)

_DAY = {"type": "date"}
_TIME = {"type": "time"}


class _Form(forms.Form):
    template_name = "web/parts/form.html"


class OpenForm(_Form):
    """Why an investigation is opened."""

    purpose = forms.CharField(
        label=gettext_lazy("Purpose"), max_length=200,
        help_text=gettext_lazy(
            "Kept with every look. Whoever is looked at reads that an investigation looked, not these words."
        ),
    )  # fmt: skip
    legal_basis = forms.CharField(label=gettext_lazy("Legal basis"), max_length=200, required=False)


class DraftForm(_Form):
    """Why the records of a case are looked at."""

    purpose = forms.CharField(label=gettext_lazy("Purpose of this look"), max_length=200)


class EntryForm(_Form):
    """One stay as told, in local time."""

    day = forms.DateField(label=gettext_lazy("Day"), widget=forms.DateInput(_DAY, LOCAL_DAY))
    begin = forms.TimeField(
        label=gettext_lazy("From"), required=False, widget=forms.TimeInput(_TIME, "%H:%M")
    )
    end = forms.TimeField(label=gettext_lazy("To"), required=False, widget=forms.TimeInput(_TIME, "%H:%M"))
    end_day = forms.DateField(
        label=gettext_lazy("Last day"), required=False, widget=forms.DateInput(_DAY, LOCAL_DAY),
        help_text=gettext_lazy("Only if it lasted past midnight, or for several days."),
    )  # fmt: skip
    part = forms.ChoiceField(label=gettext_lazy("If no time is known"), required=False)
    place = forms.ChoiceField(label=gettext_lazy("Registered place"), required=False)
    place_text = forms.CharField(label=gettext_lazy("Or where, in words"), max_length=200, required=False)
    setting = forms.ChoiceField(label=gettext_lazy("Setting"), choices=SETTING_LABELS, initial="unknown")
    activity = forms.CharField(label=gettext_lazy("What the person did"), max_length=300, required=False)
    companions = forms.CharField(label=gettext_lazy("With whom"), max_length=300, required=False)
    source = forms.ChoiceField(
        label=gettext_lazy("Source"), choices=SOURCE_LABELS, initial="interview", widget=forms.RadioSelect
    )
    certainty = forms.ChoiceField(
        label=gettext_lazy("Certainty"),
        choices=CERTAINTY_LABELS,
        initial="confirmed",
        widget=forms.RadioSelect,
    )

    def __init__(self, data: Any = None, *, places: list[tuple[str, str]], **settings: Any) -> None:
        super().__init__(data, **settings)
        self.fields["place"].choices = [("", _("none")), *places]  # type: ignore[attr-defined]
        self.fields["part"].choices = [("", _("the whole day")), *part_words().items()]  # type: ignore[attr-defined]

    def told(self) -> EntryInput:
        given = self.cleaned_data
        return EntryInput(**{name: given[name] for name in self.fields})


def part_words() -> dict[str, str]:
    return {
        "night": _("at night"),
        "morning": _("in the morning"),
        "afternoon": _("in the afternoon"),
        "evening": _("in the evening"),
    }


def initial_of(entry: EntryView, tz: ZoneInfo) -> dict[str, Any]:
    """An entry as its form shows it."""
    since = entry.since.astimezone(tz)
    until = entry.until.astimezone(tz) if entry.until else None
    exact = entry.precision == "minute"
    hours = {0: "night", 6: "morning", 12: "afternoon", 18: "evening"}
    ends_at_midnight = until is not None and entry.precision == "day"
    told = until - timedelta(minutes=1) if until and ends_at_midnight else until
    later = told is not None and told.date() != since.date() and entry.precision != "part"
    return {
        "day": since.date(),
        "begin": since.time() if exact else None,
        "end": until.time() if until and exact else None,
        "end_day": told.date() if told is not None and later else None,
        "part": hours.get(since.hour, "") if entry.precision == "part" else "",
        "place": entry.place,
        "place_text": "" if entry.place else entry.where,
        "setting": entry.setting,
        "activity": entry.activity,
        "companions": entry.companions,
        "source": entry.source,
        "certainty": entry.certainty,
    }


class HypothesisForm(_Form):
    """One possible source."""

    kind = forms.ChoiceField(label=gettext_lazy("What kind of source"), choices=HYPOTHESIS_LABELS)
    case = forms.CharField(label=gettext_lazy("Number of the case"), max_length=20, required=False)
    place = forms.ChoiceField(label=gettext_lazy("Registered place"), required=False)
    text = forms.CharField(label=gettext_lazy("In words"), max_length=300, required=False)
    reasons = forms.CharField(
        label=gettext_lazy("What speaks for and against it"), max_length=600, required=False,
        widget=forms.Textarea,
    )  # fmt: skip
    standing = forms.ChoiceField(
        label=gettext_lazy("How it stands"), choices=STANDING_LABELS, initial="possible",
        widget=forms.RadioSelect,
    )  # fmt: skip

    def __init__(self, data: Any = None, *, places: list[tuple[str, str]], **settings: Any) -> None:
        super().__init__(data, **settings)
        self.fields["place"].choices = [("", _("none")), *places]  # type: ignore[attr-defined]

    def told(self) -> HypothesisInput:
        return HypothesisInput(**{name: self.cleaned_data[name] for name in self.fields})


class CloseForm(_Form):
    """What the investigation found. Why days are missing is asked for where days are missing."""

    summary = forms.CharField(
        label=gettext_lazy("Findings of the investigation"),
        max_length=4000,
        required=False,
        widget=forms.Textarea,
    )
    no_track_reason = forms.CharField(
        label=gettext_lazy("Why nothing can be known of the days missing"), max_length=300, required=False
    )
    at = forms.DateTimeField(
        label=gettext_lazy("Finished at"), input_formats=[LOCAL_MINUTE],
        widget=forms.DateTimeInput({"type": "datetime-local"}, LOCAL_MINUTE),
    )  # fmt: skip

    def __init__(self, data: Any = None, *, view: InvestigationView, now: datetime, **settings: Any) -> None:
        at = now.astimezone(view.tz).replace(second=0, microsecond=0, tzinfo=None)
        super().__init__(data, initial={"at": at, "summary": view.investigation.summary}, **settings)
        if not view.missing:
            del self.fields["no_track_reason"]

    def moment(self, tz: ZoneInfo) -> datetime:
        at: datetime = self.cleaned_data["at"]
        return at.replace(tzinfo=tz)
