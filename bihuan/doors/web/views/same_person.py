"""One person or two? Pairs that wait for a decision, what is joined with a record, and the deciding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from bihuan.care.actions.joining import Joined, join_records, part_records
from bihuan.doors.web import likeness, places, seen
from bihuan.doors.web.access import access
from bihuan.doors.web.proposal_forms import refused
from bihuan.doors.web.two_records import RIGHT, Side, lines, may_decide, require_deciding, side_of
from bihuan.loops.queries import sight
from bihuan.registry.actions.people import decide_not_same, reopen_decision
from bihuan.registry.duplicates import find_duplicates_of
from bihuan.registry.errors import BihuanError, NotFound
from bihuan.registry.purposes import purpose
from bihuan.registry.queries import (
    merges_of,
    people_by_id,
    person_by_public_id,
    records_of,
    suspected_pairs,
    told_apart,
)
from bihuan.tracing.queries.named import by_post

PAIRS_SHOWN: Final = 50
_PUBLIC_ID: Final = re.compile(r"P-[0-9A-Z]{10}")
_REASON: Final = 300  # characters the record keeps


# --- forms ----------------------------------------------------------------------------------------------


class ReasonForm(forms.Form):
    """Why somebody decided so."""

    template_name = "web/parts/form.html"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"] = forms.CharField(
            label=_("Reason"), max_length=_REASON, help_text=_("What tells so; it stands in the history.")
        )


class DecideForm(ReasonForm):
    """One person, and which record stands for both; or two people."""

    def __init__(self, *args: Any, sides: Sequence[Side], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        older = min(sides, key=lambda side: side.person.pk)
        told = {
            "answer": forms.ChoiceField(
                label=_("They are"), widget=forms.RadioSelect,
                choices=[("one", _("One person")), ("two", _("Two people"))],
            ),
            "keep": forms.ChoiceField(
                label=_("Stands for both"), widget=forms.RadioSelect, required=False,
                choices=[(side.public_id, f"{side.name} {side.public_id}") for side in sides],
                initial=older.public_id,
                help_text=_("Of one person: by which record others find her. Both stay as they are."),
            ),
        }  # fmt: skip
        self.fields = {**told, **self.fields}

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("answer") == "one" and not given.get("keep") and "keep" not in self.errors:
            self.add_error("keep", _("Choose one of the list."))
        return given


class OtherForm(forms.Form):
    """Another record, named by its number."""

    template_name = "web/parts/form.html"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["other"] = forms.CharField(
            label=_("Number of the other record"), max_length=_REASON,
            help_text=_("P-…, or the address of that person's page."),
            widget=forms.TextInput({"autocomplete": "off"}),
        )  # fmt: skip

    def clean_other(self) -> str:
        found = _PUBLIC_ID.search(self.cleaned_data["other"].upper())
        if found is None:
            raise forms.ValidationError(_("A number of a person is P- and ten letters and digits."))
        return found[0]


# --- pairs that wait ------------------------------------------------------------------------------------


@access("person.merge", personal=True)
def same_pairs(request: HttpRequest) -> HttpResponse:
    """Pairs that look like one person and wait for a decision, the likeliest first."""
    sight.require_whole(RIGHT)
    code, _error = places.asked(request, within_scope=True)
    pairs = suspected_pairs(territory_code=code, limit=PAIRS_SHOWN + 1)
    shown = _in_sight(pairs[:PAIRS_SHOWN], "low_id", "high_id")
    people = {person.pk for pair in shown for person in (pair.low, pair.high)}
    seen.note(people, [seen.IDENTITY], purpose("page.same-pairs"))
    count = _("%(n)s shown, more follow") if len(pairs) > PAIRS_SHOWN else _("%(n)s shown")
    context = {
        "pairs": [
            {
                "href": _pair_href(pair.low, pair.high, "?from=pairs"),
                "people": [_brief(pair.low), _brief(pair.high)],
                "points": "–" if pair.score is None else pair.score,
                "why": likeness.spoken(likeness.reasons_of(pair.why)),
            }
            for pair in shown
        ],
        "count": count % {"n": len(shown)},
        "crumbs": places.crumbs(request, code),
    }
    return render(request, "web/person/pairs.html", context)


def _in_sight(rows: Iterable[Any], *ends: str) -> list[Any]:
    """Those of which the scope sees both records: one of them may have moved away since."""
    found = list(rows)
    known = people_by_id(getattr(row, end) for row in found for end in ends)
    return [row for row in found if all(getattr(row, end) in known for end in ends)]


def _joins(person: Any) -> list[Any]:
    """The joins of her records that hold."""
    holding = (one for one in merges_of(person.pk) if one.undone_at is None)
    return _in_sight(holding, "kept_id", "merged_id")


def _brief(person: Any) -> dict[str, str]:
    about = (seen.about(person), places.below(person.territory_code))
    return {"name": seen.name_in_list(person), "about": " · ".join(part for part in about if part)}


def _pair_href(a: Any, b: Any, query: str = "") -> str:
    return reverse("web:same_decide", args=[a.public_id, b.public_id]) + query


# --- one record -----------------------------------------------------------------------------------------


@access("person.merge", personal=True)
def same_person(request: HttpRequest, public_id: str) -> HttpResponse:
    """What is joined with a record, and what looks like it."""
    side = side_of(public_id)
    person = side.person
    seen.note([person.pk], side.classes, purpose("page.same-person"))
    joins = _joins(person)
    part_forms = {one.pk: ReasonForm(prefix=f"part-{one.pk}") for one in joins}
    other = OtherForm()
    wrong = False
    if request.method == "POST" and request.POST.get("do") == "part":
        join = next((one for one in joins if str(one.pk) == request.POST.get("merge")), None)
        if join is None:
            raise NotFound(_("These records are not joined any more."))
        form = part_forms[join.pk] = ReasonForm(request.POST, prefix=f"part-{join.pk}")
        if _part(request, form, join):
            return redirect("web:same_decide", join.kept.public_id, join.merged.public_id)
        wrong = True
    elif request.method == "POST":
        other = OtherForm(request.POST)
        if _is_there(other, person):
            return redirect("web:same_decide", public_id, other.cleaned_data["other"])
        wrong = True
    alike, apart = _alike(person), _apart(person)
    shown = [row["id"] for row in (*alike, *apart)]
    shown += [one.pk for join in joins for one in (join.kept, join.merged) if one.pk != person.pk]
    seen.note(shown, [seen.IDENTITY], purpose("page.same-person"))
    context = {
        "person": side,
        "joins": [_joined(one, part_forms[one.pk], side) for one in joins],
        "standing": _standing(person),
        "alike": alike,
        "apart": apart,
        "other": other,
    }
    return render(request, "web/person/same.html", context, status=422 if wrong else 200)


def _is_there(form: OtherForm, person: Any) -> bool:
    """Whether the number typed is that of another record in sight; else it is said at the field."""
    if not form.is_valid():
        return False
    try:
        found = person_by_public_id(form.cleaned_data["other"])
    except BihuanError as wrong:
        form.add_error("other", str(wrong))
        return False
    if found.pk == person.pk:
        form.add_error("other", _("This is the same record: name another."))
    return not form.errors


def _standing(person: Any) -> str:
    """The record that stands for hers, where that is another one in sight."""
    root = people_by_id([person.root_id]).get(person.root_id)
    return root.public_id if root is not None and root.pk != person.pk else ""


def _joined(join: Any, form: ReasonForm, side: Side) -> dict[str, Any]:
    return {
        "merge": join.pk,
        "kept": _named(join.kept, side),
        "merged": _named(join.merged, side),
        "at": join.merged_at,
        "by": by_post(join.merged_by_post_id),
        "reason": join.reason,
        "form": form if may_decide(join.kept, join.merged) else None,
        "href": _pair_href(join.kept, join.merged),
    }


def _named(person: Any, side: Side) -> dict[str, str]:
    """A record of a join: masked as in lists, unless it is the one whose page this is."""
    name = side.name if person.pk == side.person.pk else seen.name_in_list(person)
    return {"name": name, "public_id": person.public_id}


def _alike(person: Any) -> list[dict[str, Any]]:
    matches = find_duplicates_of(person.pk)
    known = people_by_id(match.record_id for match in matches)
    return [
        {
            "id": match.record_id,
            "href": _pair_href(person, known[match.record_id]),
            "points": match.score,
            "why": likeness.spoken(match.why),
            **_brief(known[match.record_id]),
        }
        for match in matches
        if match.record_id in known
    ]


def _apart(person: Any) -> list[dict[str, Any]]:
    """Whom she was decided not to be, and why."""
    hers = {row.pk for row in records_of(person.pk)}
    rows = []
    for one in _in_sight(told_apart(person.pk), "low_id", "high_id"):
        other = one.low if one.high_id in hers else one.high
        rows.append({"id": other.pk, "href": _pair_href(one.low, one.high), **_brief(other), **_decided(one)})
    return rows


def _decided(one: Any) -> dict[str, Any]:
    return {"at": one.decided_at, "by": by_post(one.decided_by_post_id), "reason": one.reason}


# --- two records ----------------------------------------------------------------------------------------


@access("person.merge", personal=True)
def same_decide(request: HttpRequest, public_id: str, other: str) -> HttpResponse:
    """Two records beside each other, and the decision whether they are one person."""
    if public_id == other:
        return redirect("web:same_person", public_id)
    a, b = side_of(public_id), side_of(other)
    for side in (a, b):
        seen.note([side.person.pk], side.classes, purpose("page.same-person"))
    may = may_decide(a.person, b.person)
    posted: dict[str, forms.Form] = {}
    if request.method == "POST":
        require_deciding(a.person, b.person)
        do = request.POST.get("do", "decide")
        if do not in _SAID:
            raise NotFound(_("There is nothing called %(key)s to be done here.") % {"key": do})
        form: forms.Form = (
            DecideForm(request.POST, sides=(a, b))
            if do == "decide"
            else ReasonForm(request.POST, auto_id=_IDS[do])
        )
        if _SAID[do](request, form, a, b):
            return _onward(request, a, b, form, do)
        posted = {do: form}
    context = {
        "a": a,
        "sides": (a, b),
        "lines": lines(a, b),
        "may": may,
        **_how_it_stands(a, b, posted, may),
        "back": _back(request, a),
    }
    return render(request, "web/person/decide.html", context, status=422 if posted else 200)


def _how_it_stands(a: Side, b: Side, posted: dict[str, forms.Form], may: bool) -> dict[str, Any]:
    """What was decided of the two, and the forms of what can be: those that were sent stay as typed."""
    is_one = _root(a) == _root(b)
    join = _join_of(a, b) if is_one else None
    apart = [] if is_one else _in_sight(told_apart(a.person.pk, b.person.pk), "low_id", "high_id")
    pair = {a.person.pk, b.person.pk}
    own = next((one for one in apart if {one.low_id, one.high_id} == pair), None)
    found = dict(posted) if may else {}
    if may and join is not None:
        found.setdefault("part", ReasonForm(auto_id=_IDS["part"]))
    elif may and own is not None:
        found.setdefault("reopen", ReasonForm(auto_id=_IDS["reopen"]))
    elif may and not is_one and not apart:
        found.setdefault("decide", DecideForm(sides=(a, b)))
    by = {"at": join.merged_at, "by": by_post(join.merged_by_post_id), "reason": join.reason} if join else {}
    return {
        "is_one": is_one,
        "join": by,
        "own": _decided(own) if own else {},
        "others_apart": [
            {"href": _pair_href(one.low, one.high), "ids": f"{one.low.public_id} – {one.high.public_id}"}
            | _decided(one)
            for one in apart
            if one is not own
        ],
        "forms": found,
    }


def _root(side: Side) -> int:
    return int(people_by_id([side.person.pk])[side.person.pk].root_id)


def _join_of(a: Side, b: Side) -> Any:
    """The join of exactly these two records that holds; None where they are one by way of others."""
    pair = {a.person.pk, b.person.pk}
    return next((one for one in _joins(a.person) if {one.kept_id, one.merged_id} == pair), None)


def _decide(request: HttpRequest, form: forms.Form, a: Side, b: Side) -> bool:
    if not form.is_valid():
        return False
    told, actor = form.cleaned_data, request.actor  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            if told["answer"] == "two":
                decide_not_same(a.person.pk, b.person.pk, reason=told["reason"], actor=actor)
                said = _("Two people: the search does not bring them up again.")
            else:
                keep = told["keep"]
                merged = b.public_id if keep == a.public_id else a.public_id
                said = _came_of(join_records(keep, merged, reason=told["reason"], actor=actor))
    except BihuanError as wrong:
        refused(form, wrong)
        return False
    messages.success(request, said)
    return True


def _came_of(joined: Joined) -> str:
    said = [_("One person now.")]
    for ended, goes_on in joined.ended:
        said.append(_("Contact %(ended)s has ended, %(on)s goes on.") % {"ended": ended, "on": goes_on})
    for contact, case in joined.became:
        told = {"contact": contact, "case": case}
        said.append(_("She is case %(case)s; contact %(contact)s has ended as that.") % told)
    if joined.apart:
        ids = ", ".join(joined.apart)
        said.append(
            _("These stay beside each other, as something is still to be decided: %(ids)s.") % {"ids": ids}
        )
    return " ".join(said)


def _part_here(request: HttpRequest, form: forms.Form, a: Side, b: Side) -> bool:
    join = _join_of(a, b)
    if join is None:
        raise NotFound(_("These records are not joined any more."))
    return _part(request, form, join)


def _part(request: HttpRequest, form: forms.Form, join: Any) -> bool:
    require_deciding(join.kept, join.merged)
    if not form.is_valid():
        return False
    actor = request.actor  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            parted = part_records(join.pk, reason=form.cleaned_data["reason"], actor=actor)
    except BihuanError as wrong:
        refused(form, wrong)
        return False
    said = [_("The records are parted.")]
    if parted.named:
        said.append(_("Named as contacts anew: %(ids)s.") % {"ids": ", ".join(parted.named)})
    messages.success(request, " ".join(said))
    return True


def _reopen(request: HttpRequest, form: forms.Form, a: Side, b: Side) -> bool:
    if not form.is_valid():
        return False
    actor = request.actor  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            reopen_decision(a.person.pk, b.person.pk, reason=form.cleaned_data["reason"], actor=actor)
    except BihuanError as wrong:
        refused(form, wrong)
        return False
    messages.success(request, _("The question is open again."))
    return True


#: Forms that may stand beside the one of the decision.
_IDS: Final = {"part": "id_part_%s", "reopen": "id_reopen_%s"}
_SAID: Final = {"decide": _decide, "part": _part_here, "reopen": _reopen}


def _onward(request: HttpRequest, a: Side, b: Side, form: forms.Form, do: str) -> HttpResponse:
    """Once it is decided, to the next pair or to the record; else the two stay before the eyes."""
    if do != "decide":
        return redirect("web:same_decide", a.public_id, b.public_id)
    if request.GET.get("from") == "pairs":
        return redirect("web:same_pairs")
    is_one = form.cleaned_data["answer"] == "one"
    return redirect("web:same_person", form.cleaned_data["keep"] if is_one else a.public_id)


def _back(request: HttpRequest, a: Side) -> str:
    if request.GET.get("from") == "pairs":
        return reverse("web:same_pairs")
    return reverse("web:same_person", args=[a.public_id])
