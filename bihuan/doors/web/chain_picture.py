"""A picture of chains as the page's script takes it: columns of marks and lines, words, no names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from bihuan.cases.queries.words import CLASSIFICATION_LABELS
from bihuan.cases.rules import Origin
from bihuan.epi.chains import Picture
from bihuan.registry import territory
from bihuan.tracing.queries import chains as chain_reads
from bihuan.tracing.queries.chains import Chain
from bihuan.tracing.queries.words import EXPOSURE_LABELS

#: Kinds told apart by color; the last is gray and takes what is not stated, and the rest ("others").
COLORS = 8
#: Words that state nothing.
NOTHING = ("", "unknown")


def as_document(chain: Chain, drawn: Picture, *, scope_code: str) -> dict[str, Any]:
    """What the script draws. Days are numbers from `day0`; words are of the reader's language."""
    graph, marks = chain.graph, drawn.marks
    example = marks.example
    days = chain_reads.span(chain)
    first = int(graph.day.min()) if graph.n else 0
    settings, setting = _codes([graph.setting[i] for i in example])
    classes, word = _codes([graph.classification[i] for i in example])
    places, place = _codes([_part(graph.territory[i], scope_code) for i in example])
    offspring = graph.offspring
    lone = marks.case >= 0
    roots = [graph.ids[graph.parent[i]] if graph.parent[i] >= 0 else "" for i in example]
    ids = [graph.ids[i] for i in example]
    known = [chain.cases[one] for one in ids]
    return {
        "day0": days[0].isoformat() if days else "",
        "days": int(graph.day.max() - first) if graph.n else 0,
        "lanes": drawn.layout.lanes,
        "loose": drawn.layout.loose_from,
        "bundled": drawn.bundled,
        "cases": graph.n,
        "links": int(graph.source.size),
        "marks": {
            "id": [one if single else "" for one, single in zip(ids, lone, strict=True)],
            "root": ["" if single else one for one, single in zip(roots, lone, strict=True)],
            "n": marks.n.tolist(),
            "d": (marks.day - first).tolist(),
            "e": (marks.last - first).tolist(),
            "y": drawn.layout.lane.tolist(),
            "p": marks.parent.tolist(),
            "g": marks.generation.tolist(),
            "s": setting,
            "c": word,
            "t": place,
            "k": [int(offspring[i]) if single else 0 for i, single in zip(example, lone, strict=True)],
            "o": [["", "report", "onset"].index(one.dated) for one in known],
            "i": [int(one.origin == Origin.IMPORTED) for one in known],
        },
        "lines": _lines(drawn),
        "settings": _named(settings, dict(EXPOSURE_LABELS)),
        "classes": _named(classes, dict(CLASSIFICATION_LABELS)),
        "places": _filled([_place(code) for code in places]),
        "words": words(),
    }


def _lines(drawn: Picture) -> dict[str, Any]:
    lines = drawn.lines
    return {
        "a": lines.start.tolist(),
        "b": lines.end.tolist(),
        "n": lines.n.tolist(),
        "w": np.round(lines.support, 2).tolist(),
        "said": lines.declared.astype(int).tolist(),
        "odd": lines.odd.tolist(),
        "tree": lines.tree.astype(int).tolist(),
    }


def words() -> dict[str, str]:
    """What the script says; %n and the like are filled there."""
    return {
        "onset": _("Onset"),
        "report": _("Report"),
        "undated": _("No date"),
        "generation": _("Generation %n"),
        "infected": _("infected %n"),
        "bundle": _("%n cases"),
        "open": _("Open these"),
        "imported": _("Imported"),
        "support": _("support %n"),
        "inferred": _("inferred from dates"),
        "several": _("several sources named"),
        "impossible": _("The dates of this link cannot be."),
        "loose": _("Without a link"),
        "drawn": _("%n marks"),
        "title": _("Chains of transmission"),
    }


def _codes(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """What has a color of its own, by how often it is there, and the color of each value. The last color is
    for what is not stated and for whatever is left."""
    names, at, n = np.unique(np.array(values, dtype=str), return_inverse=True, return_counts=True)
    order = [int(i) for i in np.lexsort((names, -n)) if names[i] not in NOTHING]
    named = [str(names[i]) for i in order[: COLORS - 1]]
    color = np.full(names.size, COLORS - 1, np.int64)
    color[order[: COLORS - 1]] = np.arange(len(named))
    return named, color[at].tolist()


def _named(values: Sequence[str], labels: Mapping[str, Any]) -> list[dict[str, str]]:
    return _filled([{"key": key, "label": str(labels.get(key, key))} for key in values])


def _filled(named: list[dict[str, str]]) -> list[dict[str, str]]:
    """A label for every color: none where it is not used."""
    empty = [{"key": "", "label": ""}] * (COLORS - 1 - len(named))
    return [*named, *empty, {"key": "", "label": _("Others, or not stated")}]


def _part(code: str, scope_code: str) -> str:
    """The part of the scope a territory lies in: the county of a province or city, else the street."""
    return code[: 6 if len(scope_code) < 6 else 9]


def _place(code: str) -> dict[str, str]:
    found = territory.find(code) if code else None
    return {"key": code, "label": found.label if found else code}
