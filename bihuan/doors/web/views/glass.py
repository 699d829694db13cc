"""Breaking the glass: looking into another territory in an emergency, with a reason, for a while"""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from bihuan.doors.web.access import access
from bihuan.doors.web.forms import add_errors
from bihuan.registry import glass as broken
from bihuan.registry import scope, territory
from bihuan.registry.actions.glass import break_glass, end_glass
from bihuan.registry.errors import BihuanError, Invalid
from bihuan.registry.middleware import look_through


class GlassForm(forms.Form):
    territory_code = forms.CharField(
        label=gettext_lazy("Territory"),
        max_length=80,
        help_text=gettext_lazy("Its name or code, such as 十堰 张湾 or 420303."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Why this cannot wait"),
        max_length=300,
        widget=forms.Textarea,
        help_text=gettext_lazy("At least ten characters. The territory sees it with your name and post."),
    )


@access("glass.break")
def glass(request: HttpRequest) -> HttpResponse:
    form = GlassForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _break(request, form):
        return redirect("web:board")
    return render(request, "web/glass.html", {"form": form}, status=422 if form.errors else 200)


def _break(request: HttpRequest, form: GlassForm) -> bool:
    wanted = form.cleaned_data["territory_code"].strip()
    try:
        found = territory.find(wanted) or territory.one_by_name(wanted)
        opened = break_glass(
            territory_code=found.code,
            reason=form.cleaned_data["reason"],
            actor=request.actor,  # type: ignore[attr-defined]
        )
    except Invalid as wrong:
        add_errors(form, wrong)
        return False
    except BihuanError as wrong:
        form.add_error("territory_code", str(wrong))
        return False
    look_through(request, opened.public_id)
    return True


@require_POST
@access(scope="account")
def glass_end(request: HttpRequest) -> HttpResponse:
    """End it early; the record stays."""
    acting = request.acting  # type: ignore[attr-defined]
    if acting is not None and acting.opened is not None:
        end_glass(public_id=acting.opened.public_id, actor=acting.actor)
    look_through(request, None)
    return redirect("web:home")


@access("board.view")
def breaks(request: HttpRequest) -> HttpResponse:
    """Who looked into this territory through a broken glass, and why."""
    acting = scope.current()
    rows = broken.glass_breaks_in(acting.lo if acting else "")
    return render(
        request, "web/glass_breaks.html", {"breaks": rows, "empty": _("Nobody has broken the glass.")}
    )
