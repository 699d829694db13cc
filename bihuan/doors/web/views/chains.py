"""Chains of transmission: the picture, the numbers beside it, the list, the files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from bihuan.cases.queries import find_case, people
from bihuan.cases.queries.words import CLASSIFICATION_LABELS
from bihuan.doors.web import exporting, places, seen
from bihuan.doors.web.access import access
from bihuan.doors.web.chain_picture import as_document
from bihuan.doors.web.frame import place_name
from bihuan.doors.web.lists import a_date
from bihuan.epi.chains import picture
from bihuan.epi.chains.files import case_rows, day_text, graphml, link_rows
from bihuan.epi.chains.statistics import ChainStatistics, describe
from bihuan.loops.queries import sight
from bihuan.registry import access as registry_access
from bihuan.registry import scope
from bihuan.registry.errors import NotFound
from bihuan.registry.masking import mask_name
from bihuan.registry.purposes import purpose
from bihuan.tracing.queries import links_of
from bihuan.tracing.queries.chains import Chain, ChainFilter, chain_of, how_many
from bihuan.tracing.queries.clusters import cluster_choices, clusters_of
from bihuan.tracing.queries.words import EXPOSURE_LABELS

PAGE: Final = 200
RIGHT: Final = "case.view"
#: The picture and the numbers of more cases than this are kept for so many seconds.
MANY, KEPT = 5000, 60
#: Bars of the offspring distribution; those who infected more share the last.
MOST_BARS: Final = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; `wrong` says what of it could not be read."""

    filter: ChainFilter
    wrong: dict[str, str]


def _asked(request: HttpRequest) -> Asked:
    code, error = places.asked(request, within_scope=True)
    wrong = {"territory": error} if error else {}
    days: dict[str, date | None] = {}
    for key in ("since", "until"):
        text = request.GET.get(key, "").strip()
        try:
            days[key] = a_date(text) if text else None
        except ValueError as bad:
            days[key], wrong[key] = None, str(bad)
    given = ChainFilter(
        territory=code,
        cluster=request.GET.get("cluster", "").strip(),
        since=days["since"],
        until=days["until"],
        root=request.GET.get("root", "").strip(),
        infer=request.GET.get("infer") == "1",
    )
    return Asked(given, wrong)


def _require() -> None:
    """Chains show who fell ill when: for posts that see the health of a whole territory."""
    sight.require_whole(RIGHT)
    registry_access.require(RIGHT, field_class=seen.HEALTH)


@access(RIGHT)
def chains(request: HttpRequest) -> HttpResponse:
    """The page: filters, the picture (drawn by the script from `chains_data`), statistics beside it."""
    _require()
    asked = _asked(request)
    given = asked.filter
    query = request.GET.urlencode()
    tail = f"?{query}" if query else ""
    expected = how_many(given)
    context = {
        "place": place_name(given.territory),
        "crumbs": places.crumbs(request, given.territory),
        "asked": asked,
        "given": given,
        "wrong": asked.wrong,
        "clusters": cluster_choices(given.territory),
        "filtered": bool(given.cluster or given.since or given.until or given.root),
        "data_url": reverse("web:chains_data") + tail,
        "statistics_url": reverse("web:chains_statistics") + tail,
        "list_url": reverse("web:chains_list") + tail,
        "card_url": reverse("web:chain_card", args=["C-0"]),
        "case_url": reverse("web:case", args=["C-0"]),
        "may_export": registry_access.may(None, "export.run").allowed,
        "kept": [(k, v) for k, v in request.GET.items() if k in ("territory", "root", "infer")],
        "tail": tail,
        "expected": f"{expected:,}",
        "many": expected > MANY,  # then the numbers wait for the picture: making both at once delays both
        **_nothing(given),
    }
    return render(request, "web/chains/chains.html", context)


def _nothing(given: ChainFilter) -> dict[str, str]:
    """What stands in place of a picture without cases."""
    if given.cluster or given.since or given.until or given.root:
        return {
            "empty_title": _("Nothing matches these filters"),
            "empty_text": _("Clear a filter to see more."),
        }
    may_import = registry_access.may(None, "import.run").allowed
    return {
        "empty_title": _("No cases yet"),
        "empty_text": _("Chains are drawn from cases and the links investigations record between them."),
        "empty_href": reverse("web:importing") if may_import else "",
        "empty_action": _("Import a list"),
    }


@access(RIGHT)
def data(request: HttpRequest) -> HttpResponse:
    """The picture as columns. No names: they are asked for one by one, and noted.

    One of very many cases takes seconds to make, so it is kept for KEPT seconds, for posts of the same
    territory and language.
    """
    _require()
    given = _asked(request).filter
    lo = _lo()
    key = _key("picture", given, get_language())
    body = cache.get(key)
    if body is None:
        chain = chain_of(given)
        document = as_document(chain, picture(chain.graph), scope_code=given.territory or lo)
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        if chain.graph.n > MANY:
            cache.set(key, body, KEPT)
    answer = HttpResponse(body, content_type="application/json; charset=utf-8")
    answer["Cache-Control"] = "private, no-store"
    return answer


def _lo() -> str:
    acting = scope.current()
    return acting.lo if acting else ""


def _key(what: str, given: ChainFilter, language: str | None = None) -> str:
    """Under which something of a chain is kept: for whoever sees the same territory."""
    return f"chains-{what}:" + hashlib.sha256(repr((_lo(), language, given)).encode()).hexdigest()


def _described(given: ChainFilter) -> tuple[ChainStatistics, int, list[tuple[str, str, str]]]:
    """The numbers, links whose other end is out of sight, and links whose dates cannot be."""
    key = _key("numbers", given)
    kept: tuple[ChainStatistics, int, list[tuple[str, str, str]]] | None = cache.get(key)
    if kept is not None:
        return kept
    chain = chain_of(given)
    found = describe(chain.graph), chain.outside, chain.graph.impossible()
    if chain.graph.n > MANY:
        cache.set(key, found, KEPT)
    return found


@access(RIGHT)
def statistics(request: HttpRequest) -> HttpResponse:
    """The numbers beside the picture."""
    _require()
    found, outside, impossible = _described(_asked(request).filter)
    context = {
        "found": found,
        "outside": outside,
        "sentences": found.explain(get_language() or "zh"),
        "figures": _figures(found),
        "bars": _bars(found),
        "generations": list(enumerate(found.generations)),
        "most_in_generation": max(found.generations, default=0),
        "settings": [
            (str(dict(EXPOSURE_LABELS).get(key, key)) or _("Not stated"), n)
            for key, n in list(found.settings.items())[:6]
        ],
        "most_in_setting": max(found.settings.values(), default=0),
        "wrong": [(a, b, str(odd_words().get(odd, odd))) for a, b, odd in impossible[:20]],
        "wrong_more": max(0, len(impossible) - 20),
    }
    return render(request, "web/chains/statistics.html", context)


@access(RIGHT, personal=True)
def listing(request: HttpRequest) -> HttpResponse:
    """The same as a table: every link, those that cannot be first. For readers of screens, and phones."""
    _require()
    asked = _asked(request)
    chain = chain_of(asked.filter)
    graph = chain.graph
    rows = list(link_rows(graph))
    order = sorted(range(len(rows)), key=lambda i: (not _cannot(rows[i]), graph.day[graph.target[i]], i))
    asked_page = request.GET.get("page", "1")
    page = max(1, int(asked_page)) if asked_page.isdecimal() else 1
    shown = [rows[i] for i in order[(page - 1) * PAGE : page * PAGE]]
    context = {
        "place": place_name(asked.filter.territory),
        "crumbs": places.crumbs(request, asked.filter.territory),
        "rows": _shown_links(shown, chain),
        "n": len(rows),
        "alone": int((~graph.linked).sum()),
        "page": page,
        "next": page + 1 if page * PAGE < len(rows) else None,
        "back": reverse("web:chains") + (f"?{request.GET.urlencode()}" if request.GET else ""),
    }
    return render(request, "web/chains/list.html", context)


@access(RIGHT, personal=True)
def card(request: HttpRequest, public_id: str) -> HttpResponse:
    """One case of the picture: who (masked), when, infected by whom, whom; the way to the person's page."""
    _require()
    case = find_case(public_id)
    row = case.row
    known = people.briefs([row.person_id])
    links = links_of(public_id)
    seen.note([row.person_id], seen.classes(RIGHT) - {seen.IDENTITY}, purpose("page.chains"))
    context = {
        "row": row,
        "name": seen.name_in_list(known.get(row.person_id)),
        "about": seen.about(known.get(row.person_id)),
        "place": places.below(row.territory_code),
        "classification": dict(CLASSIFICATION_LABELS).get(row.classification, row.classification),
        "sources": [link for link in links if link.infected_it],
        "infected": [link for link in links if not link.infected_it],
        "clusters": clusters_of(public_id),
        "kinds": dict(EXPOSURE_LABELS),
    }
    return render(request, "web/chains/card.html", context)


@access("export.run", personal=True)
def export(request: HttpRequest, what: str) -> HttpResponseBase:
    """The graph as a file: `links.csv`, `cases.csv`, `chains.graphml`. Who leaves as a file is noted."""
    _require()
    if what not in FILES:
        raise NotFound(_("There is no file %(name)s.") % {"name": what}, hint=", ".join(FILES))
    chain = chain_of(_asked(request).filter)
    shown = registry_access.field_classes(None, "export.run") & seen.classes(RIGHT)
    seen.note([one.person_id for one in chain.cases.values()], shown, purpose("export.chains", what))
    return FILES[what](chain, _names(chain, shown))


def _names(chain: Chain, shown: frozenset[str]) -> dict[str, str]:
    """The name of each case as far as the role may carry it out: whole, or masked."""
    known = people.briefs(one.person_id for one in chain.cases.values())
    whole = seen.IDENTITY in shown
    return {
        case: (person.name if whole else mask_name(person.name)) or person.local_id
        for case, one in chain.cases.items()
        if (person := known.get(one.person_id)) is not None
    }


def _links_file(chain: Chain, names: dict[str, str]) -> HttpResponseBase:
    head = [
        "infector",
        "infectee",
        "interval",
        "support",
        "declared",
        "tree",
        "odd",
        "kind",
        "setting",
        "source",
    ]
    rows = ([row[name] for name in head] for row in link_rows(chain.graph))
    return exporting.as_csv("chain-links", head, rows)


def _cases_file(chain: Chain, names: dict[str, str]) -> HttpResponseBase:
    head = ["case", "onset", "generation", "chain", "infected", "infector", "support", "territory", "setting",
            "classification"]  # fmt: skip
    rows = ([names.get(row["case"], ""), *(row[one] for one in head)] for row in case_rows(chain.graph))
    return exporting.as_csv("chain-cases", ["name", *head], rows)


def _graphml_file(chain: Chain, names: dict[str, str]) -> HttpResponseBase:
    lines: Iterator[str] | list[str] = list(graphml(chain.graph, more={"name": names}))
    answer = StreamingHttpResponse(lines, content_type="application/graphml+xml; charset=utf-8")
    answer["Content-Disposition"] = content_disposition_header(True, "chains.graphml") or "attachment"
    return answer


FILES: Final = {"links.csv": _links_file, "cases.csv": _cases_file, "chains.graphml": _graphml_file}


def odd_words() -> dict[str, str]:
    return {
        "": "",
        "no date": _("without both onsets"),
        "backward": _("fell ill before the infector"),
        "impossible": _("impossible by the dates"),
        "circle": _("in a circle"),
    }


def _cannot(row: dict[str, Any]) -> bool:
    return row["odd"] in ("impossible", "circle")


def _shown_links(rows: Sequence[dict[str, Any]], chain: Chain) -> list[dict[str, Any]]:
    ends = {row[end] for row in rows for end in ("infector", "infectee")}
    persons = {case: chain.cases[case].person_id for case in ends}
    known = people.briefs(persons.values())
    seen.note(persons.values(), seen.classes(RIGHT) - {seen.IDENTITY}, purpose("page.chains"))
    onset = dict(zip(chain.graph.ids, chain.graph.onset, strict=True))

    def end(case: str) -> dict[str, Any]:
        person = known.get(persons[case])
        return {
            "id": case,
            "name": seen.name_in_list(person),
            "onset": day_text(int(onset[case])),
            "href": reverse("web:case", args=[case]),
        }

    kinds = dict(EXPOSURE_LABELS)
    return [
        {
            "infector": end(row["infector"]),
            "infectee": end(row["infectee"]),
            "interval": row["interval"],
            "support": row["support"],
            "declared": row["declared"],
            "cannot": _cannot(row),
            "odd": odd_words().get(row["odd"], row["odd"]),
            "kind": str(kinds.get(row["kind"], row["kind"])),
            "setting": row["setting"],
            "source": row["source"],
        }
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with what it is, and what makes it less sure."""

    label: str
    value: str
    under: str = ""


def _figures(found: ChainStatistics) -> list[Figure]:
    interval, offspring = found.serial_interval, found.offspring
    figures = [
        Figure(_("Cases in chains"), f"{found.cases - found.alone:,}",
               _("%(n)s without a link") % {"n": f"{found.alone:,}"}),
        Figure(_("Chains"), f"{found.chains:,}", _("the largest of %(n)s") % {"n": f"{found.largest:,}"}),
    ]  # fmt: skip
    if interval.mean is not None:
        sd = "–" if interval.sd is None else f"{interval.sd:.1f}"
        figures.append(
            Figure(
                _("Serial interval"),
                _("%(n)s days") % {"n": f"{interval.mean:.1f}"},
                _("SD %(sd)s; median %(median)s; %(n)s pairs")
                % {"sd": sd, "median": f"{interval.quantiles[0.5]:g}", "n": interval.n},
            )
        )
    if offspring is not None:
        figures += [
            Figure("R", f"{offspring.r[0]:.2f}", _between(offspring.r)),
            Figure(_("Dispersion k"), _number(offspring.k[0]), _between(offspring.k)),
            Figure(
                _("Superspreading"),
                "–" if offspring.share is None else f"{100 * offspring.share:.0f} %",
                _("of the cases caused 80 % of transmission"),
            ),
        ]
    return figures


def _number(value: float) -> str:
    return "∞" if value == float("inf") else f"{value:.2f}"


def _between(values: tuple[float, float, float]) -> str:
    return _("95 %%: %(low)s to %(high)s") % {"low": _number(values[1]), "high": _number(values[2])}


def _bars(found: ChainStatistics) -> list[dict[str, Any]]:
    """How many cases infected 0, 1, 2 … others; the last bar takes all beyond."""
    most = max(found.by_offspring, default=0)
    top = max(found.by_offspring.values(), default=0)
    bars = []
    for number in range(min(most, MOST_BARS) + 1):
        last = number == MOST_BARS and most > MOST_BARS
        n = sum(v for k, v in found.by_offspring.items() if k == number or (last and k >= number))
        bars.append({"label": f"{number}+" if last else str(number), "n": n, "top": top})
    return bars
