"""What can be wrong with a cell or a row: the rules of the import, each with its message and its way out.

A ledger row keeps the rule and the values, not the sentence; the sentence is made for its reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

from bihuan.registry.text import label

from .fields import FIELDS

SET_ASIDE = "set_aside"  # the row is taken, this cell is not
WARNING = "warning"  # the row is taken, the cell too; a person should look
REJECTED = "rejected"  # the row is not taken because of this cell
DUPLICATE = "duplicate"  # why the row counts as already there

RULES: dict[str, tuple[Any, Any]] = {
    "required": (
        _("“%(field)s” is empty."),
        _("Fill in the cell, or give a constant for it in the mapping."),
    ),
    "text.length": (
        _("The text has more than %(limit)s characters."),
        _("Shorten it, or map the column to a note."),
    ),
    "name.form": (
        _("“%(value)s” is not a name."),
        _("Check whether the right column is mapped to the name."),
    ),
    "id.form": (
        _("“%(value)s” cannot be an identifier."),
        _("An identifier is a short text without line breaks; correct the cell."),
    ),
    "date.form": (
        _("“%(value)s” is not a date that is known here."),
        _("Write it as 2020-01-31."),
    ),
    "date.year_only": (
        _("“%(value)s” gives a year without a day."),
        _("Write the full date as 2020-01-31, or leave the cell empty."),
    ),
    "date.month_only": (
        _("“%(value)s” gives a month without a day."),
        _("Write the full date as 2020-01-31, or leave the cell empty."),
    ),
    "date.no_year": (
        _("“%(value)s” gives a day without a year."),
        _("Say the year in the mapping: `dates: {year: 2020}`."),
    ),
    "date.ambiguous": (
        _("“%(value)s” can be read day first or month first."),
        _("Say which in the mapping: `dates: {day_first: true}` or `false`."),
    ),
    "date.calendar": (
        _("“%(value)s” is no day of the calendar."),
        _("Correct the cell from the original form."),
    ),
    "date.span": (
        _("“%(value)s” gives a span of days, not one day."),
        _("Write the one day that is meant, or leave the cell empty."),
    ),
    "date.vague": (
        _("“%(value)s” is too vague for a date."),
        _("Write the full date as 2020-01-31, or leave the cell empty."),
    ),
    "date.era": (
        _("%(value)s lies outside the time of this list (%(from)s to %(to)s)."),
        _("Most often a typing error in the year: correct the cell, or widen `dates: era` in the mapping."),
    ),
    "date.later": (
        _("%(value)s is later than %(as_of)s, the day up to which facts are taken."),
        _("Correct the cell, or import again with a later --as-of."),
    ),
    "dates.none": (
        _("The row has no usable date; its clocks count from the day it was imported."),
        _("Give at least one of: onset, visit, diagnosis, report, admission, and import again."),
    ),
    "dates.not_yet": (
        _("Every date of the row is later than %(as_of)s."),
        _("The row is not known on that day yet. Import again with a later --as-of."),
    ),
    "dates.order": (
        _("%(first_name)s (%(first)s) is later than %(second_name)s (%(second)s)."),
        _("Both are kept as given. Check them against the original form."),
    ),
    "age.form": (
        _("“%(value)s” is not an age."),
        _("Write whole years (59), or months and days as 8月 or 8 months."),
    ),
    "age.band": (
        _("“%(value)s” is an age group, not an age."),
        _("Write the age in years, or leave the cell empty."),
    ),
    "age.range": (
        _("An age of %(value)s is outside 0 to 130 years."),
        _("Correct the cell."),
    ),
    "code.unknown": (
        _("“%(value)s” is not one of the values known for “%(field)s”."),
        _("Add it to `values` of that column in the mapping, as one of: %(allowed)s."),
    ),
    "bool.unknown": (
        _("“%(value)s” is neither yes nor no."),
        _("Write 是 or 否, yes or no, or add it to `values` in the mapping."),
    ),
    "phone.form": (
        _("The phone number has %(digits)s digits."),
        _("A phone number has 7 to 15 digits; correct the cell."),
    ),
    "id_number.form": (
        _("The identity number is not valid: %(why)s"),
        _("Compare it with the document."),
    ),
    "territory.unknown": (
        _("“%(value)s” is not a known territory%(within)s."),
        _("Use a code, or add the name under `territory: names` in the mapping. Nearest: %(nearest)s."),
    ),
    "territory.missing": (
        _("The row names no place."),
        _("Map the column that tells it, or say for which territory the list is (--territory CODE)."),
    ),
    "territory.fallback": (
        _("“%(value)s” is not a known territory%(within)s; the row was placed in %(placed)s."),
        _("Correct the cell, or add the name under `territory: names` in the mapping."),
    ),
    "territory.scope": (
        _("The row belongs to %(value)s, outside the territory you import for (%(scope)s)."),
        _("Send the row to the office of that territory."),
    ),
    "same.row": (
        _("The same row stands already in line %(line)s of this file."),
        _("Nothing to do."),
    ),
    "same.imported": (
        _("Imported before as %(subject)s, and unchanged."),
        _("Nothing to do."),
    ),
    "same.person": (
        _("%(subject)s of the same person and disease is already registered (%(why)s)."),
        _("Open it and compare; if the row is a different episode, register it by hand."),
    ),
    "same.maybe": (
        _("Perhaps the same person as %(subject)s (%(why)s)."),
        _("Compare the two and merge them, or say that they are not the same."),
    ),
    "id.twice": (
        _("The identifier “%(value)s” stands already in line %(line)s of this file, with other contents."),
        _("Correct one of the two identifiers, or delete the row that is out of date."),
    ),
    "id.other_person": (
        _("The identifier “%(value)s” is %(subject)s, but sex, age or name say it is somebody else."),
        _("Check the identifier, or give this list a name of its own (`list:` in the mapping)."),
    ),
    "link.unknown": (
        _("No case with the identifier “%(value)s” is known in the list “%(list)s”."),
        _("Import the line list first, or correct the identifier."),
    ),
    "link.self": (
        _("The row links the case “%(value)s” with itself."),
        _("Correct one of the two identifiers."),
    ),
    "link.known": (
        _("The link between %(from)s and %(to)s is already registered."),
        _("Nothing to do."),
    ),
    "contact.case_unnamed": (
        _("The list says that the contact became a case, but not which case."),
        _("Find the case, and convert the contact by hand; until then its loop stays open."),
    ),
    "contact.no_decision": (
        _("The row has an observation, but nobody who decided it; no order was recorded."),
        _("Map a column or a constant to contact.approver, or act in a post when importing."),
    ),
    "contact.no_start": (
        _("The observation is said to be complete, but the row does not say when it began."),
        _("Fill in the first day of observation and import again; until then the loop stays open."),
    ),
    "contact.joined": (
        _("The person is an open contact already: the exposure is kept with contact %(subject)s."),
        _("One person is one contact, with one observation; the longest obligation wins."),
    ),
    "follow.runs": (
        _("An order runs until %(until)s; the list tells of %(told)s."),
        _("A list does not lengthen a running order: decide about it on the page of the contact."),
    ),
    "contact.unclear": (
        _("The final status “%(value)s” does not say how the observation ended."),
        _("The loop stays open; close it by hand with what is known."),
    ),
    "follow.refused": (
        _("The contact was taken, but not what followed: %(why)s"),
        "%(hint)s",
    ),
    "write.refused": (
        _("The row was refused when it was written: %(why)s"),
        "%(hint)s",
    ),
}


@dataclass(frozen=True)
class CellError:
    """One finding. `column` is the header (or "" for the whole row); `value` the cell as it stood.

    `how`: set_aside, warning, rejected or duplicate.
    """

    column: str
    value: str
    rule: str
    how: str = SET_ASIDE
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def message(self) -> str:
        return _fill(RULES[self.rule][0], self._values())

    @property
    def hint(self) -> str:
        return _fill(RULES[self.rule][1], self._values())

    def _values(self) -> dict[str, str]:
        """The values of the sentence; names of fields in the reader's language."""
        named = {k: _label(v) if k in NAMES_OF_FIELDS else v for k, v in self.params.items()}
        return {"value": self.value, **named}

    def as_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"column": self.column, "value": self.value, "rule": self.rule, "how": self.how}
        if self.params:
            out["params"] = dict(self.params)
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CellError:
        return cls(
            data.get("column", ""),
            data.get("value", ""),
            data["rule"],
            data.get("how", SET_ASIDE),
            data.get("params", {}),
        )


NAMES_OF_FIELDS = ("field", "first_name", "second_name")


def _label(key: str) -> str:
    known = FIELDS.get(key)
    return label({"zh": known.zh, "en": known.en}) if known else key


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def _fill(text: Any, values: Mapping[str, str]) -> str:
    return str(text) % _Blank(values)
