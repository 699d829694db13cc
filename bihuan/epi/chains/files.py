"""Graphs as files: GraphML for network programs, rows for tables.

GraphML: Brandes U et al (2002) GraphML Progress Report. Graph Drawing 2001, LNCS 2265:501.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from bihuan.epi.chains.graph import NO_DAY, ODDS, ChainGraph

_EPOCH = date(1970, 1, 1).toordinal()
#: Columns of a case and of a link, with their GraphML types.
CASE_COLUMNS = {
    "onset": "string", "generation": "int", "chain": "int", "infected": "int", "infector": "string",
    "support": "double", "territory": "string", "setting": "string", "classification": "string",
}  # fmt: skip
LINK_COLUMNS = {
    "interval": "int", "support": "double", "declared": "boolean", "tree": "boolean", "odd": "string",
    "kind": "string", "setting": "string", "source": "string",
}  # fmt: skip


def day_text(day: int) -> str:
    """A day number as 2020-02-05; "" for none."""
    return "" if day == NO_DAY else date.fromordinal(day + _EPOCH).isoformat()


def case_rows(graph: ChainGraph) -> Iterator[dict[str, Any]]:
    """One dict a case; `chain` 1 is the largest."""
    infected = graph.offspring
    for i, name in enumerate(graph.ids):
        link = int(graph.parent_link[i])
        yield {
            "case": name,
            "onset": day_text(int(graph.onset[i])),
            "generation": int(graph.generation[i]),
            "chain": int(graph.component[i]) + 1,
            "infected": int(infected[i]),
            "infector": graph.ids[graph.parent[i]] if link >= 0 else "",
            "support": float(graph.support[link]) if link >= 0 else None,
            "territory": graph.territory[i],
            "setting": graph.setting[i],
            "classification": graph.classification[i],
        }


def link_rows(graph: ChainGraph) -> Iterator[dict[str, Any]]:
    """One dict a link, impossible ones too."""
    gaps = graph.interval()
    for i in range(graph.source.size):
        yield {
            "infector": graph.ids[graph.source[i]],
            "infectee": graph.ids[graph.target[i]],
            "interval": None if gaps[i] == NO_DAY else int(gaps[i]),
            "support": float(graph.support[i]),
            "declared": bool(graph.declared[i]),
            "tree": bool(graph.parent_link[graph.target[i]] == i),
            "odd": ODDS[graph.odd[i]].value,
            "kind": graph.kind[i],
            "setting": graph.link_setting[i],
            "source": graph.link_source[i],
        }


def graphml(graph: ChainGraph, *, more: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[str]:
    """The lines of a GraphML file. `more`: further columns of cases, by column and case, as text."""
    extra = dict(more or {})
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for name, kind in {**CASE_COLUMNS, **dict.fromkeys(extra, "string")}.items():
        yield f'<key id="n_{name}" for="node" attr.name="{name}" attr.type="{kind}"/>\n'
    for name, kind in LINK_COLUMNS.items():
        yield f'<key id="e_{name}" for="edge" attr.name="{name}" attr.type="{kind}"/>\n'
    yield '<graph id="chains" edgedefault="directed">\n'
    for row in case_rows(graph):
        case = row.pop("case")
        row |= {name: values.get(case, "") for name, values in extra.items()}
        yield f"<node id={quoteattr(case)}>{_data('n', row)}</node>\n"
    for row in link_rows(graph):
        ends = f"source={quoteattr(row.pop('infector'))} target={quoteattr(row.pop('infectee'))}"
        yield f"<edge {ends}>{_data('e', row)}</edge>\n"
    yield "</graph>\n</graphml>\n"


def _data(kind: str, row: Mapping[str, Any]) -> str:
    return "".join(
        f'<data key="{kind}_{name}">{escape(_text(value))}</data>'
        for name, value in row.items()
        if value is not None and value != ""
    )


def _text(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else _printable(str(value))


def _printable(text: str) -> str:
    """Without control characters, which XML 1.0 cannot hold."""
    return "".join(c for c in text if c.isprintable() or c in "\t\n\r")
