"""Forms made from the verbs of the rooms: fields described as data, errors put back at their field."""

from __future__ import annotations

from django import forms

from bihuan.registry.errors import Invalid


def add_errors(form: forms.Form, wrong: Invalid) -> None:
    """Put each error of a verb at its field, with the way out; what has no field stands on top."""
    if not wrong.errors:
        form.add_error(None, str(wrong))
    for error in wrong.errors:
        name = str(error.get("field") or "")
        text = " ".join(str(part) for part in (error.get("message"), error.get("hint")) if part)
        form.add_error(name if name in form.fields else None, text or str(wrong))
