"""What pages show personal data for, as codes that everybody reads in her own language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.registry.purposes import register_purpose
from bihuan.registry.text import label

PAGES: Final[Mapping[str, Promise]] = {
    "page.person": gettext_lazy("the person's page"),
    "page.loop": gettext_lazy("the page of a loop"),
    "page.chains": gettext_lazy("Chains of transmission"),
    "page.cluster": gettext_lazy("Cluster"),
    "page.entry-code": gettext_lazy("an entry code"),
    "page.person-correct": gettext_lazy("correcting what was reported of the person"),
    "page.same-pairs": gettext_lazy("pairs of records that look like one person"),
    "page.same-person": gettext_lazy("deciding which records are one person"),
    "page.own-code": gettext_lazy("a code for the person's own page"),
    "export.cases": gettext_lazy("export of cases"),
    "export.contacts": gettext_lazy("export of contacts"),
    "export.duties": gettext_lazy("export of the list of duties"),
    "search.name": gettext_lazy("search for a name"),
    "assistance.new": gettext_lazy("asking another territory for assistance"),
}


def register() -> None:
    """Called once, when the pages are ready."""
    for code, words in PAGES.items():
        register_purpose(code, words)
    register_purpose(
        "page.assistance",
        lambda id: _("assistance request %(id)s") % {"id": id},
        parts=1,
        herself=gettext_lazy("an assistance request"),
    )
    register_purpose(
        "page.investigation",
        lambda id: _("investigation %(id)s") % {"id": id},
        parts=1,
        herself=gettext_lazy("an investigation"),
    )
    register_purpose(
        "page.proposals",
        lambda id: _("Proposed contacts of investigation %(id)s") % {"id": id},
        parts=1,
        herself=gettext_lazy("proposed contacts of an investigation"),
    )
    register_purpose(
        "export.proposals",
        lambda id: _("file of the contacts of investigation %(id)s") % {"id": id},
        parts=1,
        herself=gettext_lazy("file of the contacts of an investigation"),
    )
    register_purpose(
        "page.proposal",
        lambda id, of: _("Proposed contact %(id)s of investigation %(of)s") % {"id": id, "of": of},
        parts=2,
        herself=gettext_lazy("proposed contacts of an investigation"),
    )
    register_purpose(
        "page.duty", lambda zh, en: _("duty: %(what)s") % {"what": label({"zh": zh, "en": en})}, parts=2
    )
    register_purpose("export.chains", lambda name: f"{_('Chains of transmission')}: {name}", parts=1)
