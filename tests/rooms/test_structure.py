"""What no tool of its own keeps: migrations are complete, texts are translated, imports look down."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.core.management import call_command
from django.utils import translation

from bihuan.config import messages


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    said = StringIO()
    try:
        call_command("makemigrations", "--check", "--dry-run", stdout=said)
    except SystemExit:
        pytest.fail(said.getvalue())


def test_every_text_is_translated() -> None:
    missing = [f"{place}  {text!r}" for text, place in messages.untranslated().items()]
    empty = [f"{found.path}  {text!r}" for found in messages.check_all() for text in found.missing]
    assert not missing + empty, "\n".join(["texts without a translation:", *missing, *empty])


def test_no_text_is_translated_in_two_ways() -> None:
    twice = messages.told_twice()
    assert not twice, "\n".join(f"{text!r}: {ways}" for text, ways in twice.items())


def test_what_is_said_is_what_we_wrote_whatever_words_other_packages_have() -> None:
    other = {}
    with translation.override("zh-hans"):
        for path in messages.catalogs():
            with path.open("rb") as file:
                for message in read_po(file, locale="zh_Hans"):
                    if not isinstance(message.id, str) or not message.id:
                        continue
                    said = (
                        translation.pgettext(message.context, message.id)
                        if message.context
                        else translation.gettext(message.id)
                    )
                    if said != message.string:
                        other[message.id] = (message.string, said)
    assert other == {}


def test_a_fresh_checkout_compiles_its_translations_by_itself(tmp_path: Path) -> None:
    folder = tmp_path / "room" / "locale" / "zh_Hans" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source = folder / "django.po"
    source.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "Done"\nmsgstr "完成"\n'
    )
    messages.settle(tmp_path)
    assert "完成".encode() in (folder / "django.mo").read_bytes()
    assert [found.name for found in folder.iterdir() if found.suffix == ".making"] == []
