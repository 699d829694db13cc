"""The board: both rings, the map, what is late, the figures of the day. Every number leads to its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from bihuan.care.queries import RingDef, all_gaps, find_rings
from bihuan.cases.queries import case_curve, five_intervals, people
from bihuan.cases.queries import clearance as same_day_clearance
from bihuan.cases.queries.figures import Clearance
from bihuan.doors.web import moments, places, seen, today, words
from bihuan.doors.web.access import access
from bihuan.doors.web.drawing import CurveDay, RingStage
from bihuan.doors.web.frame import place_name
from bihuan.doors.web.shapes import GapTile, Late, RingCard, StageRow, Tile
from bihuan.doors.web.views import gaps as gap_pages
from bihuan.loops import queries
from bihuan.loops.queries import DutyFilter, DutyRow, sight
from bihuan.loops.queries.board import Board, Counts
from bihuan.registry import access as registry_access
from bihuan.registry import clock, scope, territory, tiles
from bihuan.registry.text import label

LONGEST: Final = 8
CURVE_DAYS: Final = 42
STILL_COMING: Final = timedelta(days=4)  # reports of these last days are still coming in
WIDEST_MAP: Final = 24
SHORTENED: Final = (
    *("土家族苗族自治州", "土家族自治县", "街道办事处", "社区居民委员会", "村民委员会", "社区居委会"),
    *("村委会", "街道", "林区", "新区", "市", "区", "县", "镇", "乡"),
    *(
        " Subdistrict",
        " Development Zone",
        " New Area",
        " Township",
        " Town",
        " District",
        " County",
        " City",
    ),
    *(" Village", " Community"),
)
#: From which share of open duties being late a tile turns amber, and vermilion.
SOME_LATE, MANY_LATE = 0.05, 0.25
CLOSED: Final = [RingStage("", done=1) for _n in range(5)]


@dataclass(frozen=True, slots=True)
class Place:
    """What every link of the board carries on: the territory and the moment looked at."""

    code: str
    as_of: str

    def link(self, name: str, *args: Any, **params: str) -> str:
        asked = {"territory": self.code, "as_of": self.as_of, **params}
        text = urlencode({key: value for key, value in asked.items() if value})
        address = reverse(f"web:{name}", args=args)
        return f"{address}?{text}" if text else address


@access("board.view")
def board(request: HttpRequest) -> HttpResponse:
    """How the loops of a territory stand at a moment."""
    code, _error = places.asked(request, within_scope=True)
    moment = moments.asked(request)
    here = Place(code, request.GET.get("as_of", "") if moment.looking_back else "")
    found = queries.board(code, as_of=moment.given)
    figure = request.GET.get("map", "late")
    figures = map_figures()
    figure = figure if figure in dict(figures) else "late"
    late = queries.find_duties(
        DutyFilter(territory=code, status="late"), as_of=moment.given, limit=LONGEST
    ).rows
    kept = [(key, value) for key, value in request.GET.items() if key not in ("map", "as_of")]
    context = {
        "place": place_name(code),
        "territory": code,
        "crumbs": places.crumbs(request, code),
        "as_of": moment.at,
        "looking_back": moment.looking_back,
        "as_of_choices": moments.choices(moment),
        "as_of_kept": [(key, value) for key, value in request.GET.items() if key != "as_of"],
        "rings": [_ring(ring, found, here, moment.given) for ring in find_rings().values()],
        "inside_word": _("in the ring"),
        "kept": [*kept, *([("as_of", here.as_of)] if here.as_of else [])],
        "figures": figures,
        "map_figure": figure,
        **_map(found, figure, here),
        "conserved": found.conservation,
        "late": _late_rows(late, moment.at),
        "mine": _mine(moment.looking_back),
        "late_total": found.total.late,
        "late_href": here.link("duties", status="late"),
        "closed_ring": CLOSED,
        **_nothing_late(found),
        "figures_href": here.link("board_figures") if registry_access.may(None, "case.view") else "",
    }
    return render(request, "web/board/board.html", context)


def _mine(looking_back: bool) -> dict[str, Any] | None:
    """What the post acted in owes itself now, and what has climbed to it; None when that is nothing."""
    acting = scope.current()
    if looking_back or acting is None or acting.post_id is None:
        return None
    if not registry_access.may(acting, "duty.view").allowed:
        return None
    address = reverse("web:my_duties")
    parts = today.slices(acting.post_id, clock.now())
    chips = [
        {"label": part.label, "n": part.n, "tone": part.tone, "href": f"{address}?show={part.key}"}
        for part in parts
        if part.n
    ]
    if not chips:
        return None
    n = {part.key: part.n for part in parts}
    owed = n["late"] + n["soon"] + n["today"]
    return {
        "chips": chips,
        "ring": [RingStage(_("mine"), open=owed, soon=n["soon"], late=n["late"])] if owed else [],
    }


def _nothing_late(found: Board) -> dict[str, str]:
    """What stands in place of the late duties: all in time, or nothing there yet and how it comes to be."""
    if found.conservation.created:
        return {
            "no_late_title": _("Nothing is late"),
            "no_late_text": _("Every duty of this territory is within its time."),
        }
    may_import = registry_access.may(None, "import.run").allowed
    return {
        "no_late_title": _("Nothing is owed yet"),
        "no_late_text": _(
            "Duties open with the first case or contact that is reported here, or comes in a list."
        ),
        "no_late_href": reverse("web:importing") if may_import else "",
        "no_late_action": _("Import a list"),
    }


def _ring(ring: RingDef, found: Board, here: Place, as_of: datetime | None) -> RingCard:
    counts = {(loop.definition, stage.stage): stage.counts for loop in found.loops for stage in loop.stages}
    rows = []
    total = Counts()
    for stage in ring.stages:
        sums = Counts()
        for source in stage.sources:
            if source in counts:
                sums.add(counts[source])
        total.add(sums)
        name = f"{ring.key}.{stage.key}"
        rows.append(
            StageRow(
                key=stage.key,
                label=label(stage.label),
                open=sums.open,
                soon=sums.due_soon,
                late=sums.late,
                done=sums.done,
                href=here.link("duties", stage=name),
                soon_href=here.link("duties", stage=name, status="due_soon"),
                late_href=here.link("duties", stage=name, status="late"),
                done_href=here.link("duties", stage=name, status="done"),
            )
        )
    inside = sum(loop.loops_open for loop in found.loops if loop.group == ring.key)
    guests = {
        source
        for stage in ring.stages
        for source in stage.sources
        if source in counts and counts[source].open and source[0] in _of_another_ring(ring, found)
    }
    if guests:  # such as cases whose report or investigation is still owed, in the data ring
        inside += queries.loops_owing(guests, here.code, as_of=as_of)
    owed = total.done + total.late
    return RingCard(
        key=ring.key,
        label=label(ring.label),
        inside=inside,
        href=here.link("cases" if ring.key == "admission" else "contacts"),
        stages=rows,
        rate=total.done / owed if owed else None,
    )


def _of_another_ring(ring: RingDef, found: Board) -> set[str]:
    return {loop.definition for loop in found.loops if loop.group != ring.key}


# --- the map ------------------------------------------------------------------------------------------


def map_figures() -> list[tuple[str, str]]:
    """The figures a map can be colored by: the whole territory's, and every stage of both rings."""
    figures = [
        ("late", _("Late duties")),
        ("due_soon", _("Duties due soon")),
        ("open", _("Open duties")),
        ("inside", _("Loops open")),
        ("rate", _("Share closed")),
    ]
    for ring in find_rings().values():
        for stage in ring.stages:
            name = f"{label(ring.label)} · {label(stage.label)}"
            figures.append((f"late:{ring.key}.{stage.key}", _("%(stage)s: late") % {"stage": name}))
            figures.append((f"open:{ring.key}.{stage.key}", _("%(stage)s: open") % {"stage": name}))
    return figures


def _map(found: Board, figure: str, here: Place) -> dict[str, Any]:
    layout = tiles.layout(found.territory_code)
    values = {child.code: _counts_of(found, child.code, figure) for child in found.children}
    highest = max((_value(counts, figure, inside) or 0 for counts, inside in values.values()), default=0)
    drawn = []
    for child in found.children:
        counts, inside = values[child.code]
        x, y = layout.get(child.code, (None, None))
        one = territory.find(child.code)
        drawn.append(
            Tile(
                code=child.code,
                name=words.soft(_short(one.label if one else child.name)),
                value=_said(counts, figure, inside),
                tone=_tone(counts, figure, inside, highest),
                href=here.link("board", territory=child.code, map=figure if figure != "late" else ""),
                x=None if x is None else x + 1,
                y=None if y is None else y + 1,
                more=_more(counts, figure),
                **_counted(counts, figure, here, child.code),
            )
        )
    drawn += _not_placed(found, figure, here) if drawn else []
    width = max((tile.x or 0 for tile in drawn), default=0)
    height = max((tile.y or 0 for tile in drawn), default=0)
    fits = 0 < width <= WIDEST_MAP and height <= WIDEST_MAP
    return {
        "tiles": drawn,
        "map_width": width if fits else None,
        "no_tiles_title": _("No smaller territory"),
        "no_tiles_text": _("This is the smallest one known here; its people stand in the lists."),
    }


def _not_placed(found: Board, figure: str, here: Place) -> list[Tile]:
    """A tile for what lies in the territory and in none of its children, so that the map adds up."""
    counts, inside = _counts_of(found, "", figure)
    if not (counts.created or inside):
        return []
    tone = _tone(counts, figure, inside, 0)
    status = "" if figure in ("inside", "rate") else figure.partition(":")[0]
    href = here.link("duties", status=status)
    value, more = _said(counts, figure, inside), _more(counts, figure)
    return [Tile(code="", name=_("Not placed"), value=value, tone=tone, href=href, more=more)]


def _counted(counts: Counts, figure: str, here: Place, code: str) -> dict[str, str]:
    """Where the figures of a tile lead: to the duties they count, of this figure's stage and state."""
    status, _colon, stage = figure.partition(":")
    if status not in ("late", "due_soon", "open"):
        return {}
    n = getattr(counts, status)
    return {
        "list_href": here.link("duties", territory=code, status=status, stage=stage) if n else "",
        "more_href": here.link("duties", territory=code, status="open", stage=stage) if counts.open else "",
    }


def _short(name: str) -> str:
    """张湾区 as 张湾, Bolin Town as Bolin: tiles are small. Names of two characters stay whole."""
    for ending in SHORTENED:
        if name.endswith(ending) and len(name) > len(ending) + 1:
            return name[: -len(ending)]
    return name


def _counts_of(found: Board, code: str, figure: str) -> tuple[Counts, int]:
    child = next((c for c in found.children if c.code == code), None)
    _kind, _colon, stage = figure.partition(":")
    if not stage and child:
        return child.counts, child.loops_open
    if not stage:
        rest = Counts()
        for (place, _definition, _stage), counts in found.cells.items():
            if place == code:
                rest.add(counts)
        loops_open = sum(loop.loops_open for loop in found.loops)
        return rest, loops_open - sum(c.loops_open for c in found.children)
    ring_key, _dot, stage_key = stage.partition(".")
    ring = find_rings()[ring_key]
    total = Counts()
    for (place, definition, name), counts in found.cells.items():
        if place == code and ring.stage_of(definition, name) == stage_key:
            total.add(counts)
    return total, 0


def _value(counts: Counts, figure: str, inside: int) -> float | None:
    kind = figure.partition(":")[0]
    if kind == "inside":
        return inside
    if kind == "rate":
        owed = counts.done + counts.late
        return counts.done / owed if owed else None
    return float(getattr(counts, kind))


def _said(counts: Counts, figure: str, inside: int) -> str:
    value = _value(counts, figure, inside)
    if value is None:
        return "–"
    return f"{value:.1%}" if figure == "rate" else f"{int(value):,}"


def _more(counts: Counts, figure: str) -> str:
    return f"/ {counts.open:,}" if figure.startswith("late") and counts.open else ""


def _tone(counts: Counts, figure: str, inside: int, highest: float) -> str:
    """Amber and vermilion mean lateness; other figures take shades of jade by size."""
    value = _value(counts, figure, inside)
    if value is None:
        return "t0"
    if figure.startswith("late"):
        share = counts.late / counts.open if counts.open else 0.0
        return (
            "t1"
            if not counts.late
            else "t3"
            if share < SOME_LATE
            else "soon"
            if share < MANY_LATE
            else "late"
        )
    if figure == "rate":
        return "t1" if value >= 0.99 else "t3" if value >= 0.95 else "soon" if value >= 0.85 else "late"
    part = value / highest if highest else 0.0
    return "t0" if not value else "t1" if part < 1 / 3 else "t2" if part < 2 / 3 else "t3"


# --- what is late -------------------------------------------------------------------------------------


def targets() -> Mapping[str, str]:
    return {
        "superior": _("the superior"),
        "county_command": _("county command"),
        "city_command": _("city command"),
        "province_command": _("provincial command"),
    }


def _late_rows(rows: Sequence[DutyRow], now: datetime) -> list[Late]:
    known = people.briefs(row.person_id for row in rows if row.person_id)
    found = []
    for row in rows:
        person = known.get(row.person_id or 0)
        name = seen.name_in_list(person) if person else row.subject_ref
        place = places.below(row.territory_code)
        subject = (
            reverse("web:person", args=[person.public_id]) if person else reverse("web:loop", args=[row.loop])
        )
        found.append(
            Late(
                what=label(row.label),
                whom=name,
                place=place,
                whom_href=subject,
                whose=row.owner,
                by=now - row.due_at,
                pack=row.pack,
                clause=row.clause,
                why_href=reverse("web:duty_why", args=[row.id]),
                climbed=climbed_to(row, now),
                href=reverse("web:duty", args=[row.id]),
            )
        )
    return found


def climbed_to(row: DutyRow, now: datetime) -> str:
    """The highest rung a duty has climbed to, in words."""
    rungs = queries.escalations(row.id, as_of=now)
    if not rungs:
        return ""
    return rungs[-1].to or targets().get(rungs[-1].target, rungs[-1].target)


# --- figures that are read after the page stands --------------------------------------------------------


@access("case.view")
def figures(request: HttpRequest) -> HttpResponse:
    """Same-day clearance, gap lists, curve, intervals: recomputed from the facts, sent into their cards."""
    sight.require_whole("case.view")
    code, _error = places.asked(request, within_scope=True)
    moment = moments.asked(request)
    here = Place(code, request.GET.get("as_of", "") if moment.looking_back else "")
    today = timezone.localtime(moment.at).date()
    cleared = same_day_clearance(code, as_of=moment.given)
    context = {
        "clearance": _clearance(cleared, here),
        "midnight": cleared.closes_at,
        "left": cleared.closes_at - moment.at,
        "looking_back": moment.looking_back,
        "gaps": _gap_tiles(code, moment, here),
        **_curve(code, today, here),
        "intervals": _intervals(code, today if moment.looking_back else None, here),
    }
    return render(request, "web/board/figures.html", context)


def _clearance(found: Clearance, here: Place) -> dict[str, Any]:
    rows = []
    for key, text in gap_pages.waits().items():
        waiting = [row for row in found.remaining if row.waits_for.value == key]
        if waiting:
            places_of = Counter(_child_name(row.territory_code, here.code) for row in waiting)
            detail = " · ".join(f"{name} {n}" for name, n in places_of.most_common(3))
            rows.append(
                {
                    "label": text,
                    "n": len(waiting),
                    "detail": detail,
                    "href": here.link("clearance", waits=key),
                }
            )
    return {
        "open": len(found.remaining),
        "done": found.cleared,
        "total": found.due,
        "rows": rows,
        "href": here.link("clearance"),
    }


def _child_name(code: str, parent: str) -> str:
    """The child of `parent` that a code lies in, as a short name."""
    for child in territory.children(parent):
        if code.startswith(child.code):
            return _short(child.label)
    found = territory.find(code)
    return _short(found.label) if found else code


def _gap_tiles(code: str, moment: moments.Moment, here: Place) -> list[GapTile]:
    titles = gap_pages.titles()
    return [
        GapTile(key, titles[key], gap.missing, here.link("gap", key), gap.oldest)
        for key, gap in all_gaps(code, as_of=moment.given).items()
    ]


def _curve(code: str, today: date, here: Place) -> dict[str, Any]:
    whole = case_curve("onset", code, last=today)
    first = max(len(whole.days) - CURVE_DAYS, 0)
    drawn = [
        CurveDay(
            words.say_date(day, today=today),
            n,
            faint=today - day < STILL_COMING,
            href=here.link("cases", onset_from=day.isoformat(), onset_to=day.isoformat()),
        )
        for day, n in zip(whole.days[first:], whole.counts[first:], strict=True)
    ]
    return {
        "curve_days": drawn if whole.total else [],
        "curve_title": _("Cases by day of onset"),
        "curve_missing": whole.missing,
        "no_curve_title": _("No case with a day of onset"),
        "no_curve_text": _("The curve appears with the first case."),
    }


def interval_words() -> Mapping[str, str]:
    return {
        "found": _("First visit"),
        "reported": _("Report"),
        "diagnosed": _("Diagnosis"),
        "isolated": _("Isolation"),
        "treated": _("Admission"),
    }


def _intervals(code: str, on: date | None, here: Place) -> list[dict[str, Any]]:
    titles = interval_words()
    rows = []
    for row in five_intervals(code, on=on):
        if row.all.total:
            rows.append(
                {
                    "label": titles.get(row.key, row.key),
                    "median": row.all.median,
                    "p90": row.all.p90,
                    "n": row.all.n,
                    "missing": row.all.missing,
                    "missing_share": row.all.missing_share,
                    "backwards": row.all.negative,
                    "href": here.link("cases"),
                }
            )
    return rows
