"""What is typed about the contacts of a case: somebody named, a passenger list, who a number is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, Final

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _

from bihuan.doors.web import places
from bihuan.registry import clock, scope, territory
from bihuan.registry.errors import BihuanError, Invalid
from bihuan.registry.people import PersonInput
from bihuan.tracing.queries.clusters import SETTING_LABELS
from bihuan.tracing.rules.seats import VehicleKind

_LIVES_IN: Final = 80
_FAULTS_SHOWN: Final = 10


class NameForm(forms.Form):
    """Somebody the case, or a witness, named."""

    template_name = "web/parts/form.html"

    def __init__(self, *args: Any, investigation: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= {
            "name": forms.CharField(label=_("Name of the person"), max_length=80),
            "phone": forms.CharField(label=_("Phone"), max_length=30, required=False),
            "id_number": forms.CharField(label=_("Identity number"), max_length=30, required=False),
            "territory": forms.CharField(
                label=_("Lives in"), max_length=_LIVES_IN, initial=_told(investigation.territory_code),
                help_text=_("Name or code of the street or community: its people get the duties."),
            ),
            "address": forms.CharField(label=_("Address"), max_length=200, required=False),
            "setting": forms.ChoiceField(label=_("Setting"), choices=SETTING_LABELS, required=False),
            "place": forms.CharField(label=_("Where they met"), max_length=200, required=False),
            "day": forms.DateField(label=_("Last together on"), widget=forms.DateInput({"type": "date"})),
            "minutes": forms.IntegerField(
                label=_("Minutes together"), min_value=0, max_value=20_000, required=False
            ),
        }  # fmt: skip


class ManifestForm(forms.Form):
    """A passenger list and where the case sat."""

    template_name = "web/parts/form.html"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [(k, v) for k, v in SETTING_LABELS if k in set(VehicleKind)]
        sealed = [("", _("not known")), ("yes", _("sealed, air-conditioned")), ("no", _("ventilated"))]
        self.fields |= {
            "kind": forms.ChoiceField(label=_("Vehicle"), choices=kinds),
            "vehicle": forms.CharField(
                label=_("Number"), max_length=40, help_text=_("As on the ticket: G1234, CZ3367.")
            ),
            "sealed": forms.ChoiceField(label=_("Carriage"), choices=sealed, required=False),
            "day": forms.DateField(label=_("Day of the journey"), widget=forms.DateInput({"type": "date"})),
            "carriage": forms.CharField(label=_("Carriage of the case"), max_length=20, required=False),
            "row": forms.IntegerField(
                label=_("Row or bay of the case"), min_value=1, max_value=999, required=False
            ),
            "room": forms.CharField(label=_("Compartment or cabin"), max_length=20, required=False),
            "file": forms.FileField(
                label=_("Passenger list (CSV, XLSX)"),
                help_text=_(
                    "Columns: name, id_number, phone, carriage, row or seat, role. "
                    "Those who sat too far away are not kept."
                ),
            ),
        }  # fmt: skip


class WhoForm(forms.Form):
    """Who a keyed number is, as the register of the place tells."""

    template_name = "web/parts/form.html"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= {
            "name": forms.CharField(label=_("Name of the person"), max_length=80),
            "phone": forms.CharField(label=_("Phone"), max_length=30, required=False),
            "id_number": forms.CharField(label=_("Identity number"), max_length=30, required=False),
            "territory": forms.CharField(label=_("Lives in"), max_length=80, help_text=_(
                "Name or code of the street or community: its people get the duties.")),
            "address": forms.CharField(label=_("Address"), max_length=200, required=False),
        }  # fmt: skip


def person_of(told: Mapping[str, Any]) -> PersonInput:
    """Who was told of, in the territory she lives in. Raises what a name that is none, or several, raises."""
    return PersonInput(
        territory_code=_place(told["territory"]),
        name=told["name"],
        phone=told["phone"],
        id_number=told["id_number"],
        address=told["address"],
        source="investigation",
    )


def refused(form: forms.Form, wrong: BihuanError) -> None:
    """Say each fault where it was typed, of a list its line; without faults, what went wrong on top."""
    faults = wrong.errors if isinstance(wrong, Invalid) else []
    if not any("row" in fault or str(fault.get("field")) in form.fields for fault in faults):
        form.add_error(None, str(wrong))
        return
    for fault in faults[:_FAULTS_SHOWN]:
        words = " ".join(str(part) for part in (fault.get("message"), fault.get("hint")) if part)
        if "row" in fault:
            form.add_error(None, _("Line %(n)s: %(what)s") % {"n": fault["row"], "what": words})
        else:
            name = str(fault.get("field"))
            form.add_error(name if name in form.fields else None, words)
    if len(faults) > _FAULTS_SHOWN:
        form.add_error(None, _("And %(n)s more.") % {"n": len(faults) - _FAULTS_SHOWN})


def _told(code: str) -> str:
    """A territory by the shortest words by which `_place` finds it again: its name, the names from below the
    one acted in, its code. Grids and villages of one name are many."""
    own = territory.find(code)
    if own is None:
        return ""
    for words in (own.label, places.below(code)):
        try:
            if len(words) <= _LIVES_IN and _place(words) == code:
                return words
        except BihuanError:
            continue
    return code


def _place(text: str) -> str:
    """The territory a code or a name means: of several of one name the one within the territory acted in."""
    words = text.strip()
    found = territory.find(words)
    if found is None:
        acting = scope.current()
        near = territory.find_by_name(words, acting.lo) if acting and acting.lo else []
        found = near[0] if len(near) == 1 else territory.one_by_name(words)
    return found.code


def noon(day: date) -> datetime:
    """Somewhen on that local day: noon, or now if that is still to come."""
    at = timezone.make_aware(datetime.combine(day, time(12)))
    now = clock.now()
    return now if at > now and timezone.localtime(now).date() == day else at
