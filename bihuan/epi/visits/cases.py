"""A file of cases and the hours in question of each: who, and from when to when, or the day of onset."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.tables import Wanted, read_columns
from bihuan.epi.tables.cells import NOT_KNOWN
from bihuan.epi.tables.headers import read_headers
from bihuan.epi.visits import secret
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.numbers import keyed_numbers
from bihuan.epi.visits.store import VisitStore
from bihuan.epi.visits.windows import Windows

#: What a column is called: a keyed number (16 hexadecimal digits), an identity, the hours, the onset.
COLUMNS: dict[str, tuple[str, ...]] = {
    "keyed": ("keyed_number", "person_key", "keyed", "键值", "假名编号"),
    "person": (
        "person", "person_id", "identity", "id_number", "national_id", "case", "case_id", "id",
        "身份证", "身份证号", "身份证号码", "证件号码", "人员", "人员编号", "手机号", "病例", "病例编号",
    ),
    "from": ("from", "since", "start", "infectious_from", "开始", "开始时间", "起", "起始时间"),
    "to": ("to", "until", "end", "infectious_to", "isolated", "结束", "结束时间", "止", "隔离时间"),
    "onset": ("onset", "date_onset", "onset_date", "symptom_onset", "发病", "发病日期", "发病时间"),
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1)
#: 64 bits in hexadecimal; zeros in front may have got lost in a spreadsheet.
_KEYED = re.compile("[0-9a-fA-F]{1,16}")


@dataclass(frozen=True, slots=True)
class Cases:
    """`windows` of the cases who are in the store; `rows` their records in the file, `unseen` those of cases
    who were never at any place the store knows, `undated` those left out for want of a date."""

    windows: Windows
    rows: tuple[int, ...]
    unseen: tuple[int, ...]
    undated: tuple[int, ...] = ()


def read_cases(
    store: VisitStore,
    path: Path,
    *,
    key: Callable[[], bytes],
    days_before: int = 2,
    until_onset: bool = False,
    encoding: str | None = None,
    given: Mapping[str, str] | None = None,
    where: Sequence[tuple[str, str]] = (),
    skip_undated: bool = False,
) -> Cases:
    """Read `path`. A row has `from` (and `to`), or `onset`: then from so many days before its 0:00.

    Where `to` is not known it is the end of the store, or with `until_onset` (tracing backward) the end of
    the day of onset. `key` gives the secret key; it is asked for only where identities are to be turned into
    keyed numbers. `given`: column to role of COLUMNS, where names do not tell; `where` keeps the rows whose
    column holds that text; `skip_undated` leaves out rows that have neither from nor onset, instead of
    refusing the file. InputError names the row that cannot be read, never who it is about.
    """
    names = _names(path, encoding, given or {})
    wanted = {role: Wanted(name) for role, name in names.items()}
    read = read_columns(path, wanted, where=where, encoding=encoding)
    dated = np.array([not skip_undated or _is_dated(read, i) for i in range(read["row"].size)], np.bool_)
    undated = tuple(int(r) for r in read["row"][~dated])
    records = [int(r) for r in read["row"][dated]]
    cells = {role: [str(v).strip() for v in read[role][dated]] for role in names}
    keyed = _keyed(store, cells, records, key)
    end = 1 + max((s.day for s in store.segments()), default=0)
    spans = [
        _span(
            {role: cells[role][i] for role in ("from", "to", "onset") if role in cells}, row, store.offset,
            last=end * DAY_MINUTES - 1, days_before=days_before, until_onset=until_onset,
        )
        for i, row in enumerate(records)
    ]  # fmt: skip
    found = store.people.find(keyed)
    known = np.flatnonzero(found >= 0)
    hours = np.array(spans, np.int64).reshape(-1, 2)[known]
    return Cases(
        Windows(found[known].astype(np.uint32), hours[:, 0].copy(), hours[:, 1].copy()),
        tuple(records[i] for i in known),
        tuple(records[i] for i in np.flatnonzero(found < 0)),
        undated,
    )


def _is_dated(read: Mapping[str, NDArray[Any]], i: int) -> bool:
    return any(role in read and not _is_unknown(str(read[role][i]).strip()) for role in ("from", "onset"))


def _names(path: Path, encoding: str | None, given: Mapping[str, str]) -> dict[str, str]:
    found, have = read_headers(path, COLUMNS, given, encoding=encoding)
    if not ({"keyed", "person"} & found.keys() and {"from", "onset"} & found.keys()):
        raise InputError(
            f"{path.name} needs a column person (or keyed_number) and from, to (or onset); it has {have}",
            f"{path.name} 需要 人员（或 keyed_number）列，以及 from、to（或 发病日期）列；现有 {have}",
            field="cases",
        )
    return found


def _keyed(
    store: VisitStore, cells: Mapping[str, list[str]], records: list[int], key: Callable[[], bytes]
) -> NDArray[np.uint64]:
    if "keyed" in cells:
        return np.array(
            [_number(text, row) for text, row in zip(cells["keyed"], records, strict=True)], np.uint64
        )
    empty = next((r for t, r in zip(cells["person"], records, strict=True) if _is_unknown(t)), None)
    if empty is not None:
        raise _wrong(empty, "says nobody", "没有人员", "person")
    secret_key = key()
    store.check_key(secret.fingerprint(secret_key))
    return keyed_numbers(secret_key, cells["person"])


def _number(text: str, row: int) -> int:
    if not _KEYED.fullmatch(text):
        raise _wrong(
            row, "has no keyed number of 16 hexadecimal digits", "没有 16 位十六进制编号", "keyed_number"
        )
    return int(text, 16)


def _span(
    cells: Mapping[str, str], row: int, offset: int, *, last: int, days_before: int, until_onset: bool
) -> tuple[int, int]:
    since, until, onset = (_minute(cells.get(r, ""), row, r, offset) for r in ("from", "to", "onset"))
    if since is not None:
        begin = since[0]
    elif onset is not None:
        begin = (onset[0] // DAY_MINUTES - days_before) * DAY_MINUTES
    else:
        raise _wrong(row, "has neither from nor onset", "既无开始时间也无发病日期", "from")
    if until is not None:
        end = until[1]
    elif until_onset and onset is not None:
        end = (onset[0] // DAY_MINUTES + 1) * DAY_MINUTES - 1
    else:
        end = max(last, begin)
    if end < begin:
        raise _wrong(row, "ends before it begins", "结束早于开始", "to")
    return begin, end


def _minute(text: str, row: int, column: str, offset: int) -> tuple[int, int] | None:
    """First and last minute a cell means: of a day its 0:00 and 23:59; None for "not known"."""
    if _is_unknown(text):
        return None
    found = parse_time(text, offset)
    if found is None:
        raise _wrong(
            row, f"has no time such as 2020-02-08 13:05 in {column}", f"的 {column} 不是时间", column
        )
    return found


def parse_time(text: str, offset: int) -> tuple[int, int] | None:
    """First and last minute of a day, or a minute, on a clock `offset` minutes ahead of UTC; None when it
    cannot be read. A time with a zone is brought to that clock."""
    plain = text.strip().replace("/", "-").replace("年", "-").replace("月", "-").replace("日", "")
    parts = plain.split(" ")[0].split("-")
    if len(parts) == 3 and all(p.isdigit() for p in parts):
        plain = "-".join(p.zfill(2) for p in parts) + plain[len(plain.split(" ")[0]) :]
    try:
        when = datetime.fromisoformat(plain)
        shift = when.utcoffset()
        if shift is not None:
            when = when.replace(tzinfo=None) - shift + timedelta(minutes=offset)
    except (ValueError, OverflowError):  # the first or last day there is, on another clock
        return None
    minute = int((when - _EPOCH).total_seconds() // 60)
    return minute, minute + (DAY_MINUTES - 1 if len(plain) <= 10 else 0)


def _is_unknown(text: str) -> bool:
    return text.casefold() in NOT_KNOWN


def _wrong(row: int, en: str, zh: str, field: str) -> InputError:
    return InputError(f"record {row} of the cases {en}", f"病例第 {row} 条记录{zh}", field=field)
