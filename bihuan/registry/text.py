"""Labels that are data: `{zh: 指挥部, en: Command}` in packs, roles and the territory tree."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import get_language


def label(texts: Mapping[str, str] | str | None, language: str | None = None) -> str:
    """Return the text in `language` (default: the reader's), else Chinese, else any, else ""."""
    if not texts:
        return ""
    if isinstance(texts, str):
        return texts
    short = (language or get_language() or "zh").split("-")[0]
    return texts.get(short) or texts.get("zh") or next(iter(texts.values()), "")


def name_of(name: str, name_en: str, language: str | None = None) -> str:
    """Return the Chinese (local) name, or the English one for a reader who does not read Chinese."""
    short = (language or get_language() or "zh").split("-")[0]
    return name if short == "zh" else (name_en or name)
