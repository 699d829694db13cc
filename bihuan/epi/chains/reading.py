"""Line lists and links from files: which columns they stand in is guessed by name, or said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bihuan.epi.chains.graph import CaseFact, Tie
from bihuan.epi.errors import InputError
from bihuan.epi.tables import Wanted, open_table, read_columns

#: Names of columns, in the order they are looked for; compared without case.
CASE_NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("case_id", "id", "case", "病例编号", "编号", "病例号", "local_id", "patient_id"),
    "onset": ("date_onset", "symptom_onset", "onset", "dt_onset", "发病日期", "发病时间", "onset_date"),
    "day": (
        "date_report", "confirm_date", "dt_report", "date_confirmation", "报告日期", "确诊日期", "dt_diag",
        "date_confirmed",
    ),
    "infected_from": ("exposure_start", "start_source", "dt_start_exp", "exposure_first", "暴露开始"),
    "territory": ("territory_code", "territory", "county", "区县", "地区", "loc_hosp"),
    "setting": ("setting", "exposure_setting", "感染场所"),
    "classification": ("classification", "病例分类", "分类"),
}  # fmt: skip
LINK_NAMES: Mapping[str, tuple[str, ...]] = {
    "infector": ("from_case", "from", "infector", "source_case", "传染者", "传染源", "infected_by"),
    "infectee": ("to_case", "to", "infectee", "case", "case_id", "被传染者", "病例编号"),
    "support": ("support", "probability", "支持度"),
    "setting": ("setting", "exposure", "场所", "kind", "暴露"),
    "source": ("evidence", "依据", "来源"),
}
_DATES, _NUMBERS, _NEEDED = ("onset", "day", "infected_from"), ("support",), ("id", "infector", "infectee")


@dataclass(frozen=True, slots=True)
class LineList:
    """Cases and links of files; `without`: links left out because a case is not listed, or not named."""

    cases: list[CaseFact]
    ties: list[Tie]
    without: int
    columns: dict[str, str]


def read_line_list(
    cases: str | Path,
    links: str | Path | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    link_columns: Mapping[str, str] | None = None,
    where: Sequence[tuple[str, str]] = (),
    encoding: str | None = None,
    without_links: bool = False,
) -> LineList:
    """Read a line list, and links from a second file or from a column of the first that names the infector.

    `columns` and `link_columns` say where what is not found by its name stands. A link with a support below 1
    counts as inferred. Raises InputError for a file without ids, and (unless `without_links`, which takes
    such a list as one without any) for one whose links cannot be found.
    """
    chosen = _columns(cases, CASE_NAMES, columns or {}, encoding)
    inside: dict[str, str] = {}
    if links is None:
        named = {"infector": LINK_NAMES["infector"]}
        needed = () if without_links else _NEEDED
        inside = _columns(cases, named, link_columns or {}, encoding, needed=needed)
    read = read_columns(cases, _wanted({**chosen, **inside}), where=where, encoding=encoding)
    listed = [_fact(read, i) for i in range(len(read["id"]))]
    halves = 0
    if links is not None:
        place = _columns(links, LINK_NAMES, link_columns or {}, encoding)
        told = read_columns(links, _wanted(place), encoding=encoding)
        ties, halves = _ties(told), _halves(told)
    else:
        ties = _ties({"infectee": read["id"], "infector": read["infector"]}) if "infector" in inside else []
    known = {one.id for one in listed}
    kept = [tie for tie in ties if tie.infector in known and tie.infectee in known]
    return LineList(listed, kept, len(ties) - len(kept) + halves, chosen)


def _columns(
    path: str | Path,
    names: Mapping[str, tuple[str, ...]],
    said: Mapping[str, str],
    encoding: str | None,
    *,
    needed: Sequence[str] = _NEEDED,
) -> dict[str, str]:
    with open_table(path, encoding=encoding) as table:
        headers = {str(name).strip().casefold(): str(name) for name in table.columns}
    strange = next((key for key in said if key not in names), None)
    if strange is not None:
        raise InputError(
            f"{strange!r} is not read from {Path(path).name}; there are {', '.join(names)}",
            f"不从 {Path(path).name} 读取 {strange!r}；可用的有 {'、'.join(names)}",
            field=strange,
        )
    found = {key: name for key, name in said.items() if name}
    for key, known in names.items():
        if key not in found:
            name = next((headers[one] for one in known if one in headers), None)
            if name is not None:
                found[key] = name
            elif key in needed:
                raise InputError(
                    f"{Path(path).name} has no column for {key}; it has {', '.join(headers.values())}; say "
                    f"{key}=COLUMN",
                    f"{Path(path).name} 中没有 {key} 列；现有 {'、'.join(headers.values())}；请写 {key}=列名",
                    field=key,
                )
    return found


def _wanted(columns: Mapping[str, str]) -> dict[str, Wanted]:
    return {
        key: Wanted(name, "date" if key in _DATES else "number" if key in _NUMBERS else "text")
        for key, name in columns.items()
    }


def _fact(read: Mapping[str, Any], i: int) -> CaseFact:
    fact = CaseFact(str(read["id"][i]).strip())
    if not fact.id:
        raise InputError(
            f"record {i + 1} has no id", f"第 {i + 1} 条记录没有编号", field="id"
        )  # fmt: skip
    given: dict[str, Any] = {}
    for key in ("onset", "day", "infected_from", "territory", "setting", "classification"):
        if key in read:
            value = read[key][i]
            given[key] = (None if np.isnat(value) else value) if key in _DATES else str(value)
    return fact._replace(**given)


def _halves(read: Mapping[str, Any]) -> int:
    """Rows that name one of the two cases only."""
    return sum(
        bool(str(one).strip()) != bool(str(other).strip())
        for one, other in zip(read["infector"], read["infectee"], strict=True)
    )


def _ties(read: Mapping[str, Any]) -> list[Tie]:
    ties = []
    for i in range(len(read["infectee"])):
        infector, infectee = str(read["infector"][i]).strip(), str(read["infectee"][i]).strip()
        if not infector or not infectee:
            continue
        value = float(read["support"][i]) if "support" in read else float("nan")
        support = None if np.isnan(value) else value
        ties.append(
            Tie(
                infector,
                infectee,
                support,
                declared=support is None or support >= 1,
                setting=str(read["setting"][i]).strip() if "setting" in read else "",
                source=str(read["source"][i]).strip() if "source" in read else "",
            )
        )
    return ties
