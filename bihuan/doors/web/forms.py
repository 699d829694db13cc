"""Forms made from the verbs of the rooms: fields described as data, errors put back at their field.

A form here only collects. What was sent goes to `perform` as it was typed; the room reads it, and its errors
come back to the fields with what was typed still in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django import forms
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from bihuan.cases.verbs import NOW, Field, Verb
from bihuan.registry.errors import Invalid

#: What a browser's fields for moments and days know; written otherwise they stay empty, and saving loses it.
LOCAL_MINUTE: Final = "%Y-%m-%dT%H:%M"
LOCAL_DAY: Final = "%Y-%m-%d"


def add_errors(form: forms.Form, wrong: Invalid) -> None:
    """Put each error of a verb at its field, with the way out; what has no field stands on top. The form of a
    verb says nothing of its own beside it."""
    if isinstance(form, VerbForm):
        form.errors.clear()
    if not wrong.errors:
        form.add_error(None, str(wrong))
    for error in wrong.errors:
        name = str(error.get("field") or "")
        text = " ".join(str(part) for part in (error.get("message"), error.get("hint")) if part)
        form.add_error(name if name in form.fields else None, text or str(wrong))


class VerbForm(forms.Form):
    """The form of one verb. Always valid by itself: the room judges."""

    template_name = "web/parts/form.html"

    def __init__(self, verb: Verb, data: Any = None, *, now: datetime, only: str = "") -> None:
        self.verb = verb
        super().__init__(data)
        for described in verb.fields:
            if described.by_hand and (not only or described.name == only):
                self.fields[described.name] = _form_field(described, now)

    def given(self) -> dict[str, Any]:
        """What was typed, by field, without the fields left empty."""
        found: dict[str, Any] = {}
        for name, field in self.fields.items():
            widget = field.widget
            value = widget.value_from_datadict(self.data, self.files, self.add_prefix(name))
            if value not in (None, "", []):
                found[name] = value
        return found


class MomentInput(forms.Widget):
    """A day, and a time of day that may stay empty: one field of a browser for both sends nothing at all
    while its time is missing. It gives what was typed as `2020-02-05T08:00` or `2020-02-05`."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str | None:
        day, clock = data.get(name), data.get(f"{name}_time")
        return f"{day}T{clock}" if day and clock and "T" not in day else day or clock or None

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data and f"{name}_time" not in data

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        day, _between, clock = str(value or "").partition("T")
        shown = self.build_attrs(self.attrs, attrs)
        beside = {key: kept for key, kept in shown.items() if key.startswith("aria-")}
        beside |= {"id": f"{shown['id']}_time"} if "id" in shown else {}
        return format_html(
            '<span class="moment">{}{}</span>',
            forms.DateInput({**shown, "type": "date"}).render(name, day),
            forms.TimeInput({**beside, "type": "time", "aria-label": pgettext("of day", "Time")}).render(
                f"{name}_time", clock
            ),
        )


def _form_field(described: Field, now: datetime) -> forms.Field:
    required = described.required and described.default is None
    initial: Any = described.default
    if described.default == NOW:
        initial = timezone.localtime(now).strftime(LOCAL_MINUTE)
    made = forms.Field(
        label=str(described.label),
        required=required,
        initial=initial,
        help_text=str(described.help or ""),
        widget=_widget(described),
    )
    made.unit = described.unit  # type: ignore[attr-defined]
    if described.type == "choice" and not _as_choices(described):
        made.widget.attrs["class"] = "input"
    return made


def _as_choices(described: Field) -> bool:
    """Few answers stand side by side, many fold into a list."""
    return len(described.choices) <= 6


def _widget(described: Field) -> forms.Widget:
    kind = described.type
    attrs: dict[str, Any] = {}
    if kind in ("text", "long_text"):
        attrs["maxlength"] = described.max_length
    if kind in ("number", "integer"):
        attrs |= {"inputmode": "decimal" if kind == "number" else "numeric", "autocomplete": "off"}
        for name, bound in (("min", described.low), ("max", described.high), ("step", described.step)):
            if bound is not None:
                attrs[name] = f"{bound:g}"
        return forms.NumberInput(attrs)
    if kind == "moment":
        return MomentInput()
    if kind == "date":
        return forms.DateInput({"type": "date"})
    if kind == "long_text":
        return forms.Textarea({"rows": 4, **attrs})
    if kind == "boolean":
        return forms.CheckboxInput()
    if kind == "choices":
        return forms.CheckboxSelectMultiple(choices=described.choices)
    if kind == "choice":
        if _as_choices(described):
            return forms.RadioSelect(choices=described.choices)
        return forms.Select(choices=[("", _("choose…")), *described.choices])
    return forms.TextInput(attrs)


def quick_field(verb: Verb) -> Field | None:
    """The one thing that must be typed to do a verb in the card itself: a number, all else by default."""
    needed = [f for f in verb.fields if f.required and f.default is None]
    return needed[0] if len(needed) == 1 and needed[0].type == "number" else None


def quick_form(verb: Verb, *, now: datetime, card: int) -> VerbForm | None:
    """The card's own form of a verb, or None if it needs more than one number."""
    described = quick_field(verb)
    if described is None:
        return None
    form = VerbForm(verb, now=now, only=described.name)
    widget = form.fields[described.name].widget
    widget.attrs |= {
        "class": "input",
        "placeholder": described.unit or str(described.label),  # short: the card says what it is about
        "aria-label": f"{described.label} {described.unit}".strip(),
        "id": f"quick-{card}",
        "required": True,
    }
    return form


def values_of(form: VerbForm, **more: Any) -> Mapping[str, Any]:
    """What `perform` takes: what was typed, and what the page knows (which duty), if the verb asks for it."""
    known = {described.name for described in form.verb.fields}
    return {**form.given(), **{name: value for name, value in more.items() if name in known}}
