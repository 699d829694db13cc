"""Every address of the web door declares who may open it; templates keep to the content policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

import bihuan.doors.web as web
from bihuan.config import messages
from bihuan.doors.web import access
from bihuan.registry.roles_rules import RIGHTS

PACKAGE = Path(web.__file__).parent
TEMPLATES = sorted((PACKAGE / "templates").rglob("*.html"))


def web_patterns() -> Iterator[URLPattern]:
    for entry in get_resolver().url_patterns:
        if isinstance(entry, URLResolver) and entry.app_name == "web":
            yield from (p for p in entry.url_patterns if isinstance(p, URLPattern))


def test_the_web_door_has_addresses():
    assert len(list(web_patterns())) > 10


@pytest.mark.parametrize("pattern", list(web_patterns()), ids=lambda p: str(p.name))
def test_every_address_declares_its_access(pattern):
    declared = getattr(pattern.callback, "declared_access", None)
    assert declared is not None, f"{pattern.pattern} has no @access; see bihuan/doors/web/access.py"
    assert declared.right is None or declared.right in RIGHTS
    assert declared.right is not None or declared.scope in ("anyone", "account", "post")


def test_a_view_without_a_right_is_not_for_a_territory():
    with pytest.raises(ValueError, match="right"):
        access.access(scope="territory")(lambda request: None)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: str(p.relative_to(PACKAGE / "templates")))
def test_no_template_has_inline_script_or_style(path):
    text = path.read_text("utf-8")
    assert not re.search(r"\sstyle=|<style|<script(?![^>]*\ssrc=)|\son\w+=|hx-on|javascript:", text)
    assert "js:" not in text


def test_every_text_of_the_web_door_is_translated():
    assert messages.untranslated(PACKAGE) == {}
