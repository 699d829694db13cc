"""Documents set by Typst: a template of ours, facts as JSON, Chinese from the fonts of the system."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import typst
from django.utils.translation import gettext as _

from bihuan.registry.errors import BihuanError

_HERE = Path(__file__).parent
#: As on the pages: what systems bring along for Chinese, then what Typst itself holds.
CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "HarmonyOS Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "SimSun",
    "Noto Serif CJK SC",
    "Noto Serif SC",
    "Source Han Serif SC",
)
LATIN = ("Libertinus Serif",)


class NoFont(BihuanError):
    code = "no-chinese-font"


@cache
def fonts() -> tuple[str, ...]:
    """Families to set in, those that are here; Chinese ones first."""
    here = set(typst.Fonts().families())
    return tuple(name for name in CHINESE if name in here)


def pdf_of(template: str, data: Mapping[str, Any]) -> bytes:
    """The document as PDF (PDF/A-2b). Raises NoFont where the system has no Chinese font: names of people
    would be boxes."""
    if not fonts():
        raise NoFont(
            _("This machine has no Chinese font to set a report with."),
            hint=_("Install one, for instance the package fonts-noto-cjk, and try again."),
        )
    told = json.dumps({**data, "fonts": [*fonts(), *LATIN]}, ensure_ascii=False)
    made = typst.compile(
        (_HERE / template).read_bytes(), sys_inputs={"data": told}, format="pdf", pdf_standards="a-2b"
    )
    assert isinstance(made, bytes)
    return made
