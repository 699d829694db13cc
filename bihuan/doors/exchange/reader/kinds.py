"""What kind of file it is, and whether it can be opened without harm: looked at before anything parses it."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from bihuan.doors.exchange.limits import Limits
from bihuan.doors.exchange.reader.extents import check_extent
from bihuan.doors.exchange.reader.refusals import bomb, damaged, locked, refuse

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")


def kind_of(path: Path, limits: Limits) -> str:
    if not path.is_file():
        raise refuse(
            path,
            "file.exists",
            _("%(file)s is not a file.") % {"file": path.name},
            _("Check the path and name."),
        )
    size = path.stat().st_size
    if size == 0:
        raise refuse(
            path,
            "file.empty",
            _("%(file)s is empty.") % {"file": path.name},
            _("Export the list again and choose that file."),
        )
    if size > limits.file_bytes:
        raise refuse(
            path,
            "file.size",
            _("%(file)s has %(size)d MB; at most %(limit)d MB are read.")
            % {"file": path.name, "size": size // 2**20, "limit": limits.file_bytes // 2**20},
            _("Split the list into several files."),
        )
    with path.open("rb") as stream:
        start = stream.read(8)
    if start.startswith(b"PK\x03\x04"):
        return _zip_kind(path, limits)
    if start == OLE:
        return _ole_kind(path)
    if start.startswith(b"PK"):
        raise damaged(path)
    return "csv"


def _ole_kind(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(4 * 1024 * 1024)
    if ENCRYPTED_PACKAGE in head:
        raise locked(path)
    return "xls"


def _zip_kind(path: Path, limits: Limits) -> str:
    """Looks into the archive before anything parses it; unpacks every entry only to count its bytes."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > limits.zip_entries:
                raise bomb(path, _("it holds %(n)d parts") % {"n": len(entries)})
            if sum(e.file_size for e in entries) > limits.unpacked_bytes:
                raise bomb(
                    path, _("it unpacks to more than %(n)d MB") % {"n": limits.unpacked_bytes // 2**20}
                )
            if any(e.flag_bits & 1 for e in entries):
                raise locked(path)
            names = {e.filename for e in entries}
            kind = _package_kind(archive, names)
            if kind is None:
                raise refuse(
                    path,
                    "file.kind",
                    _("%(file)s is a ZIP archive, not a spreadsheet.") % {"file": path.name},
                    _("Unpack it and choose the list inside."),
                )
            _weigh(path, archive, entries, limits)
            check_extent(path, archive, kind, names, limits)
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        EOFError,
        OSError,
        UnicodeError,
        KeyError,
    ) as error:
        raise damaged(path, str(error)) from error
    return kind


def _package_kind(archive: zipfile.ZipFile, names: set[str]) -> str | None:
    if "xl/workbook.xml" in names or "xl/workbook.bin" in names:
        return "xlsx"
    if "content.xml" in names and "mimetype" in names:
        with archive.open("mimetype") as stream:
            return "ods" if b"spreadsheet" in stream.read(200) else None
    return None


def _weigh(path: Path, archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo], limits: Limits) -> None:
    """Counts what really comes out of the packed parts; headers of a bomb may lie."""
    packed = sum(e.compress_size for e in entries) or 1
    total = 0
    with path.open("rb") as stream:
        for entry in entries:
            for piece in _inflate(stream, entry):
                total += len(piece)
                if total > limits.unpacked_bytes:
                    raise bomb(
                        path, _("it unpacks to more than %(n)d MB") % {"n": limits.unpacked_bytes // 2**20}
                    )
                if total > limits.ratio_floor and total / packed > limits.unpacked_ratio:
                    raise bomb(
                        path, _("it unpacks to more than %(n)d times its size") % {"n": limits.unpacked_ratio}
                    )


def _inflate(stream: Any, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The unpacked bytes of one entry in pieces of at most 1 MB, without trusting its declared size."""
    stream.seek(entry.header_offset)
    header = stream.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile("local header missing")
    stream.seek(
        int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), os.SEEK_CUR
    )
    left = entry.compress_size
    if entry.compress_type == zipfile.ZIP_STORED:
        while left > 0 and (piece := stream.read(min(left, 1 << 20))):
            left -= len(piece)
            yield piece
        return
    if entry.compress_type != zipfile.ZIP_DEFLATED:
        raise zipfile.BadZipFile(f"packing method {entry.compress_type}")
    machine = zlib.decompressobj(-15)
    while left > 0 and (piece := stream.read(min(left, 1 << 16))):
        left -= len(piece)
        while piece:
            yield machine.decompress(piece, 1 << 20)
            piece = machine.unconsumed_tail
    yield machine.flush()
