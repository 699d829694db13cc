"""Running case folders one by one: what is wrong with a case is its result, never the end of the run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bihuan.epi.errors import EpiError, InputError
from bihuan.epi.oracles.cases import Case, Difference, run_case


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case folder; it passed when nothing differs."""

    name: str
    folder: Path
    peer: str
    differences: tuple[Difference, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.differences

    def row(self) -> dict[str, Any]:
        """As a plain mapping, for JSON."""
        return {
            "case": self.name,
            "folder": str(self.folder),
            "peer": self.peer,
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "differences": [
                {"where": d.where, "expected": str(d.expected), "ours": str(d.ours), "note": d.note}
                for d in self.differences
            ],
        }


def case_folders(folder: Path) -> list[Path]:
    """Every folder at or below `folder` that is a case or was meant as one: it holds `params.json` or an
    `expected*.csv`. InputError when there is no such folder, or none in it.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder; name the folder that holds the cases",
            f"{folder} 不是文件夹；请给出存放用例的文件夹",
            field="folder",
        )
    found = {path.parent for name in ("params.json", "expected*.csv") for path in folder.rglob(name)}
    if not found:
        raise InputError(
            f"no case in {folder}: a case is a folder with params.json, input*.csv and expected*.csv",
            f"{folder} 中没有用例：每个用例是一个含 params.json、input*.csv、expected*.csv 的文件夹",
            field="folder",
        )
    return sorted(found)


def read_case(folder: Path) -> Case:
    """The case of one folder; InputError says what of it cannot be read."""
    for needed in ("params.json", "input*.csv", "expected*.csv"):
        if not any(folder.glob(needed)):
            raise InputError(f"{needed} is missing", f"缺少 {needed}", field=needed)
    try:
        about = json.loads((folder / "params.json").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"params.json cannot be read: {error}", f"params.json 无法读取：{error}", field="params.json"
        ) from None
    if not isinstance(about, dict) or not isinstance(about.get("params") or {}, dict):
        raise InputError(
            "params.json is not an object with an object `params`",
            "params.json 不是含 params 对象的 JSON 对象",
            field="params.json",
        )
    name, peer = str(about.get("case") or folder.name), str(about.get("peer") or "")
    return Case(folder, name, peer, about.get("params") or {}, about)


def run_folder(folder: Path) -> Outcome:
    """Read and run the case of one folder."""
    began = time.perf_counter()
    name, peer = folder.name, ""
    try:
        one = read_case(folder)
        name, peer = one.name, one.peer
        differences = tuple(run_case(one))
    except EpiError as error:
        differences = (Difference(error.field or "case", "a case that can be run", error.en),)
    except Exception as error:  # whatever breaks in one case is that case's result; the others go on
        differences = (Difference("case", "an answer", f"{type(error).__name__}: {error}", _place(error)),)
    return Outcome(name, folder, peer, differences, time.perf_counter() - began)


def run_folders(folders: list[Path]) -> Iterator[Outcome]:
    for folder in folders:
        yield run_folder(folder)


def _place(error: BaseException) -> str:
    """Where it broke: file and line of the innermost frame."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
