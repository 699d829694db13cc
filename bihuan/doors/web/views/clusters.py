"""Clusters: the list with suggestions, one cluster, its forms and steps."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from bihuan.cases.queries.words import CLASSIFICATION_LABELS
from bihuan.doors.web import places, seen
from bihuan.doors.web.access import access
from bihuan.doors.web.forms import LOCAL_DAY, add_errors
from bihuan.doors.web.frame import place_name
from bihuan.loops.queries import sight
from bihuan.registry import access as registry_access
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
from bihuan.registry.purposes import purpose
from bihuan.tracing.actions import clusters as actions
from bihuan.tracing.actions.clusters import ClusterInput
from bihuan.tracing.queries import clusters as reads
from bihuan.tracing.queries.clusters import (
    CLUSTER_STATUS_LABELS,
    ROLE_LABELS,
    SETTING_LABELS,
    ClusterView,
    MemberRow,
    Suggestion,
)
from bihuan.tracing.queries.words import EXPOSURE_LABELS

RIGHT: Final = "case.view"
WRITE: Final = "investigation.write"
SUGGESTED: Final = 12


class ClusterForm(forms.Form):
    """What is told of a cluster; the room judges."""

    template_name = "web/parts/form.html"

    name = forms.CharField(
        label=gettext_lazy("Name of the event"), max_length=120,
        help_text=gettext_lazy("Where and when, not who: “Department store, January”."),
    )  # fmt: skip
    setting = forms.ChoiceField(label=gettext_lazy("Setting"), choices=SETTING_LABELS, initial="unknown")
    place = forms.ChoiceField(label=gettext_lazy("Place"), required=False)
    territory = forms.CharField(label=gettext_lazy("Territory"), max_length=64)
    date_first = forms.DateField(
        label=gettext_lazy("Exposure from"), required=False,
        widget=forms.DateInput({"type": "date"}, LOCAL_DAY),
    )  # fmt: skip
    date_last = forms.DateField(
        label=gettext_lazy("Exposure to"), required=False,
        widget=forms.DateInput({"type": "date"}, LOCAL_DAY),
    )  # fmt: skip
    exposed = forms.IntegerField(
        label=gettext_lazy("How many were exposed"), required=False, min_value=1,
        help_text=gettext_lazy("Everybody at risk, the cases among them. Empty if nobody knows."),
    )  # fmt: skip
    source = forms.CharField(label=gettext_lazy("Source"), max_length=200, required=False)
    note = forms.CharField(
        label=gettext_lazy("Remarks"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, data: Any = None, *, code: str, **settings: Any) -> None:
        super().__init__(data, **settings)
        self.fields["place"].choices = [("", _("none")), *reads.place_choices(code)]  # type: ignore[attr-defined]

    def told(self) -> ClusterInput:
        given = self.cleaned_data
        return ClusterInput(
            name=given["name"],
            territory_code=given["territory"],
            setting=given["setting"],
            place=given["place"],
            date_first=given["date_first"],
            date_last=given["date_last"],
            exposed=given["exposed"],
            source=given["source"],
            note=given["note"],
        )


class NewClusterForm(ClusterForm):
    cases = forms.CharField(
        label=gettext_lazy("Cases"), required=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Their numbers, parted by spaces or lines."),
    )  # fmt: skip


def _require() -> None:
    sight.require_whole(RIGHT)
    registry_access.require(RIGHT, field_class=seen.HEALTH)


@access(RIGHT)
def clusters(request: HttpRequest) -> HttpResponse:
    """Every cluster of the territory, the newest first, and what may be one."""
    _require()
    code, _error = places.asked(request, within_scope=True)
    status = request.GET.get("status", "")
    rows = reads.list_clusters(territory=code, status=status, text=request.GET.get("q", ""))
    suggested = reads.suggestions(territory=code)
    may_write = registry_access.may(None, WRITE).allowed
    context = {
        "crumbs": places.crumbs(request, code),
        "rows": [
            {"row": row, "place": places.below(row.territory_code), "setting": _setting(row.setting)}
            for row in rows
        ],
        "q": request.GET.get("q", ""),
        "status": status,
        "statuses": CLUSTER_STATUS_LABELS,
        "may_write": may_write,
        "suggested": _suggested(suggested[:SUGGESTED]),
        "suggested_more": max(0, len(suggested) - SUGGESTED),
        "new_url": reverse("web:cluster_new"),
    }
    return render(request, "web/chains/clusters.html", context)


@access(RIGHT, personal=True)
def cluster(request: HttpRequest, public_id: str) -> HttpResponse:
    """One cluster: members with their roles, attack rate, where and when, its part of the chains."""
    _require()
    view = reads.find_cluster(public_id)
    seen.note(
        [m.person_id for m in view.members], seen.classes(RIGHT) - {seen.IDENTITY}, purpose("page.cluster")
    )
    may_write = bool(
        registry_access.may(None, WRITE, territory_code=view.cluster.territory_code)
        and view.cluster.status == "open"
    )
    context = {
        **_page(view),
        "crumbs": places.crumbs(request, view.cluster.territory_code),
        "may_write": may_write,
        "others": [c for c in reads.cluster_choices() if c[0] != public_id] if may_write else [],
        "roles": ROLE_LABELS,
    }
    return render(request, "web/chains/cluster.html", context)


@access(WRITE)
def cluster_new(request: HttpRequest) -> HttpResponse:
    """Name an event as a cluster."""
    _require()
    acting = scope.current()
    code = acting.lo if acting else ""
    initial = {key: request.GET.get(key, "") for key in ("name", "place", "date_first", "date_last", "cases")}
    setting = request.GET.get("setting", "")
    initial |= {"territory": code, "setting": setting or "unknown"}
    form = NewClusterForm(request.POST or None, code=code, initial=initial)
    if request.method == "POST" and form.is_valid():
        found, unknown = reads.cases_named(form.cleaned_data["cases"])
        if unknown:
            form.add_error("cases", _("No case is called %(names)s.") % {"names": ", ".join(unknown[:5])})
        else:
            try:
                made = actions.open_cluster(form.told(), cases=found, actor=_actor(request))
            except Invalid as wrong:
                add_errors(form, wrong)
            else:
                messages.success(request, _("The cluster is open."))
                return redirect("web:cluster", made.public_id)
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "heading": _("A new cluster"), "back": reverse("web:clusters")}
    return render(request, "web/chains/cluster_form.html", context, status=status)


@access(WRITE)
def cluster_edit(request: HttpRequest, public_id: str) -> HttpResponse:
    """Change what is told of a cluster."""
    _require()
    view = reads.find_cluster(public_id)
    one = view.cluster
    initial = {
        "name": one.name, "setting": one.setting, "place": view.row.place_id, "territory": one.territory_code,
        "date_first": one.date_first, "date_last": one.date_last, "exposed": one.exposed,
        "source": one.source, "note": one.note,
    }  # fmt: skip
    form = ClusterForm(request.POST or None, code="", initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            actions.revise_cluster(public_id, form.told(), actor=_actor(request))
        except Invalid as wrong:
            add_errors(form, wrong)
        else:
            messages.success(request, _("Saved."))
            return redirect("web:cluster", public_id)
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "heading": one.name, "back": reverse("web:cluster", args=[public_id])}
    return render(request, "web/chains/cluster_form.html", context, status=status)


@access(WRITE)
@require_POST
def cluster_do(request: HttpRequest, public_id: str) -> HttpResponse:
    """A step: add, remove, role, close or merge."""
    _require()
    given, actor = request.POST, _actor(request)
    reason, step = given.get("reason", ""), given.get("do", "")
    if step == "add":
        _add(request, public_id, given.get("cases", ""), actor)
    elif step == "remove":
        actions.remove_case(public_id, given.get("case", ""), reason=reason, actor=actor)
        messages.success(request, _("The case was taken out; the reason is kept."))
    elif step == "role":
        actions.set_role(public_id, given.get("case", ""), given.get("role", ""), actor=actor)
    elif step == "close":
        actions.close_cluster(public_id, reason=reason, actor=actor)
        messages.success(request, _("The cluster is closed."))
    elif step == "merge":
        other = actions.merge_clusters(public_id, given.get("into", ""), reason=reason, actor=actor)
        messages.success(request, _("The clusters are one now."))
        return redirect("web:cluster", other.public_id)
    else:
        raise Invalid(_("There is no step %(step)s.") % {"step": step})
    return redirect("web:cluster", public_id)


def _add(request: HttpRequest, public_id: str, text: str, actor: Actor) -> None:
    found, unknown = reads.cases_named(text)
    if unknown:
        raise Invalid(_("No case is called %(names)s.") % {"names": ", ".join(unknown[:5])})
    new = actions.add_cases(public_id, found, actor=actor)
    messages.success(request, _("%(n)s cases were added.") % {"n": len(new)})


def _actor(request: HttpRequest) -> Actor:
    found: Actor = request.actor  # type: ignore[attr-defined]
    return found


def _setting(key: str) -> str:
    return str(dict(SETTING_LABELS).get(key, key))


def _page(view: ClusterView) -> dict[str, Any]:
    rate = view.row.rate
    public = reads.published_rate(rate)
    return {
        "view": view,
        "one": view.cluster,
        "setting": _setting(view.cluster.setting),
        "status": str(dict(CLUSTER_STATUS_LABELS)[view.cluster.status]),
        "where": places.below(view.cluster.territory_code),
        "territory": place_name(view.cluster.territory_code),
        "rate": rate,
        "percent": None if rate.shown is None else _percent(rate.shown.share),
        "interval": None
        if rate.shown is None
        else _("95 %%: %(low)s to %(high)s")
        % {"low": _percent(rate.shown.low), "high": _percent(rate.shown.high)},
        "publishable": public is not None,
        "members": [_member(one) for one in view.members],
        "removed": [_member(one) for one in view.removed],
        "chains_url": f"{reverse('web:chains')}?cluster={view.cluster.public_id}",
    }


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _member(one: MemberRow) -> dict[str, Any]:
    return {
        "row": one,
        "name": seen.name_in_list(one.person) if one.case else _("out of sight"),
        "about": seen.about(one.person),
        "href": reverse("web:case", args=[one.case]) if one.case else "",
        "classification": str(dict(CLASSIFICATION_LABELS).get(one.classification, one.classification)),
        "role": str(dict(ROLE_LABELS)[one.role]),
        "place": places.below(one.territory_code) if one.territory_code else "",
    }


def _suggested(found: list[Suggestion]) -> list[dict[str, Any]]:
    named = reads.place_names([one.key for one in found if one.because == "place"])
    kinds = dict(EXPOSURE_LABELS)
    words = {
        "links": _("linked with one another"),
        "place": _("were at one place"),
        "setting": _("share a setting"),
    }
    return [
        {
            "n": len(one.cases),
            "why": words[one.because],
            "what": named.get(one.key, "") if one.because == "place" else str(kinds.get(one.key, one.key))
            if one.because == "setting" else "",
            "first": one.first,
            "last": one.last,
            "fields": [
                ("cases", " ".join(one.cases)),
                ("place", one.key if one.because == "place" else ""),
                ("name", named.get(one.key, "") if one.because == "place" else ""),
            ],
        }
        for one in found
    ]  # fmt: skip
