"""Which writer serves which kind of list."""

from __future__ import annotations

from .facts import CaseWriter, LinkWriter, Writer
from .facts_contacts import ContactWriter
from .fields import CONTACTS, LINELIST, LINKS

WRITERS: dict[str, type[Writer]] = {LINELIST: CaseWriter, CONTACTS: ContactWriter, LINKS: LinkWriter}


def writer_of(kind: str) -> type[Writer]:
    return WRITERS[kind]
