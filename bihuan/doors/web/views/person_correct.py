"""Setting right what was reported of a person: a name misheard, a number with a slip, a new address."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from bihuan.doors.web import seen
from bihuan.doors.web.access import access
from bihuan.doors.web.proposal_forms import refused
from bihuan.loops.queries import sight
from bihuan.registry.actions.people import as_input, require_correcting, update_person
from bihuan.registry.errors import BihuanError
from bihuan.registry.identity import LOCAL
from bihuan.registry.people import PersonInput
from bihuan.registry.purposes import purpose
from bihuan.registry.queries import DOCUMENT_LABELS, SEX_LABELS, person_by_public_id

_TEXTS: Final = ("name", "phone", "address", "occupation")
_SHOWN: Final = (*_TEXTS, "sex", "date_birth", "age_years")


class CorrectForm(forms.Form):
    """What was reported of her. Her document number is not shown, and stays unless another is typed.

    The page carries what it showed, so that of two who correct at once each changes only what she typed. How
    long a text may be is judged by the registry, as with every other report.
    """

    template_name = "web/parts/form.html"

    def __init__(self, *args: Any, told: PersonInput, **kwargs: Any) -> None:
        kwargs["initial"] = {name: getattr(told, name) for name in _SHOWN}
        super().__init__(*args, **kwargs)
        held = bool(told.id_number) and told.id_kind != LOCAL
        self.fields |= {
            "name": forms.CharField(label=_("Name of the person"), required=False),
            "sex": forms.ChoiceField(label=_("Sex"), choices=SEX_LABELS),
            "date_birth": forms.DateField(
                label=_("Date of birth"), widget=forms.DateInput({"type": "date"}), required=False
            ),
            "age_years": forms.IntegerField(
                label=_("Age in years"), required=False, help_text=_("Where the date of birth is not known.")
            ),
            "phone": forms.CharField(label=_("Phone"), required=False),
            "id_kind": forms.ChoiceField(
                label=_("Document"), choices=[("", _("As held, or as its form tells")), *DOCUMENT_LABELS],
                required=False,
            ),
            "id_number": forms.CharField(
                label=_("Identity number"), required=False, help_text=_held_number() if held else "",
                widget=forms.TextInput({"autocomplete": "off"}),
            ),
        }  # fmt: skip
        if held:
            self.fields["no_number"] = forms.BooleanField(
                label=_("The number held is not hers: remove it"), required=False
            )
        self.fields |= {
            "address": forms.CharField(label=_("Address"), required=False),
            "occupation": forms.CharField(label=_("Occupation"), required=False),
            "reason": forms.CharField(
                label=_("Reason"), max_length=200,
                help_text=_("How it became known; it stands in the history."),
            ),
        }  # fmt: skip
        for name in _SHOWN:
            self.fields[name].show_hidden_initial = True

    def changes(self) -> dict[str, Any]:
        """What was typed, as fields of a report."""
        given, typed = self.cleaned_data, set(self.changed_data)
        found: dict[str, Any] = {name: given[name] for name in _SHOWN if name in typed}
        if given["id_number"] or given.get("no_number"):
            found["id_number"] = given["id_number"]
        if found.get("id_number") and given["id_kind"]:
            found["id_kind"] = given["id_kind"]
        return found


@access("person.view", personal=True)
def person_correct(request: HttpRequest, public_id: str) -> HttpResponse:
    """Correct a person's record; what it was before stays in its history."""
    person = person_by_public_id(public_id)
    classes = sight.classes_of("person.view", territory_code=person.territory_code, person_id=person.pk)
    require_correcting(person, classes)
    seen.note([person.pk], [seen.IDENTITY, seen.LOCATION], purpose("page.person-correct"))
    form = CorrectForm(request.POST or None, told=as_input(person))
    if request.method == "POST" and form.is_valid():
        try:
            actor = request.actor  # type: ignore[attr-defined]
            update_person(person.pk, form.changes(), actor, reason=form.cleaned_data["reason"])
        except BihuanError as wrong:
            refused(form, wrong)
        else:
            messages.success(request, _("Corrected. The version before stays in the history."))
            return redirect("web:person", public_id=public_id)
    context = {"form": form, "back": reverse("web:person", args=[public_id])}
    return render(request, "web/person/correct.html", context, status=422 if form.errors else 200)


def _held_number() -> str:
    return _(
        "Held, and not shown: it stays unless another is typed. With it go the date of birth and the sex "
        "that were read from it."
    )
