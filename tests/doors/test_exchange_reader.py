"""Files come in as rows, or are refused with a reason and a way out."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
import zlib
from dataclasses import replace

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from bihuan.doors.exchange.errors import FileRefused
from bihuan.doors.exchange.limits import LIMITS
from bihuan.doors.exchange.reader import OLE, FileHints, find_delimiter, open_table, safe_cell

CHINESE = "编号,姓名,性别,发病日期\n1,张三,男,2020-01-21\n2,李四,女,2020年1月22日\n"
SPANISH = "id;edad;clasificación;observación\n1;40;Sospechoso;niño con síntomas\n2;41;Confirmado;año nuevo\n"


def write(tmp_path, content, name="list.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def cells(path, **hints):
    table = open_table(path, hints=FileHints(**hints) if hints else None)
    return table, [row.cells for row in table.rows()]


@pytest.mark.parametrize(
    ("encoding", "recognized"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gb18030", "gb18030"), ("utf-16", "utf-16")],
)
def test_it_reads_chinese_in_the_encodings_that_offices_use(tmp_path, encoding, recognized):
    table, rows = cells(write(tmp_path, CHINESE.encode(encoding)))
    assert table.encoding == recognized
    assert table.headers == ("编号", "姓名", "性别", "发病日期")
    assert rows[1] == ("2", "李四", "女", "2020年1月22日")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_it_tells_latin_text_from_chinese_bytes(tmp_path, encoding):
    table, rows = cells(write(tmp_path, SPANISH.encode(encoding)))
    assert table.encoding in ("latin-1", "cp1252")
    assert table.delimiter == ";"
    assert rows[0][3] == "niño con síntomas"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "，", "^", "~", ":", "!", "@"])
def test_it_finds_any_delimiter(tmp_path, delimiter):
    table, rows = cells(write(tmp_path, CHINESE.replace(",", delimiter)))
    assert table.delimiter == delimiter
    assert rows[0] == ("1", "张三", "男", "2020-01-21")


def test_it_reads_a_file_of_one_column(tmp_path):
    table, rows = cells(write(tmp_path, "case id\nTJ 1\nTJ 2\n"))
    assert table.delimiter is None
    assert table.headers == ("case id",)
    assert rows == [("TJ 1",), ("TJ 2",)]


def test_it_keeps_quoted_newlines_and_counts_lines_as_an_editor_does(tmp_path):
    path = write(tmp_path, 'id,note,sex\n1,"one\ntwo, three",F\n\n2,x,M\n')
    table = open_table(path)
    rows = list(table.rows())
    assert rows[0].cells == ("1", "one\ntwo, three", "F")
    assert [r.line for r in rows] == [2, 5]


def test_it_finds_the_header_below_a_title_and_blank_lines(tmp_path):
    path = write(tmp_path, "某县病例一览表,,,\n,,,\n" + CHINESE)
    table, rows = cells(path)
    assert table.header_row == 3
    assert table.headers[0] == "编号"
    assert len(rows) == 2


def test_it_pads_short_rows_and_names_blank_and_repeated_headers(tmp_path):
    table, rows = cells(write(tmp_path, "id,date,,date\n1,2020-01-01\n2,2020-01-02,x,2020-01-03\n"))
    assert table.headers == ("id", "date", "column 3", "date (2)")
    assert rows[0] == ("1", "2020-01-01", "", "")


def test_a_mapping_may_name_what_recognition_misses(tmp_path):
    path = write(tmp_path, "a b\n1 2\n3 4\n")
    table, rows = cells(path, delimiter=" ", encoding="utf-8", header_row=1)
    assert table.headers == ("a", "b")
    assert rows == [("1", "2"), ("3", "4")]


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8),
            min_size=3,
            max_size=3,
        ),
        min_size=3,
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_sniffing_never_falls_over_text(rows):
    sample = "\n".join(",".join('"' + c.replace('"', '""') + '"' for c in row) for row in rows)
    found = find_delimiter(sample)
    assert found is None or len(found) == 1


def book(tmp_path, *, fill, name="list.xlsx"):
    path = tmp_path / name
    with xlsxwriter.Workbook(str(path)) as workbook:
        fill(workbook)
    return path


def test_it_reads_a_spreadsheet_with_title_dates_and_merged_cells(tmp_path):
    def fill(workbook):
        sheet = workbook.add_worksheet("病例")
        day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        sheet.merge_range(0, 0, 0, 3, "某县病例一览表")
        sheet.write_row(1, 0, ["编号", "县区", "发病日期", "年龄"])
        sheet.merge_range(2, 1, 4, 1, "宝坻区")
        for n in range(3):
            sheet.write(2 + n, 0, f"A{n}")
            sheet.write_datetime(2 + n, 2, dt.datetime(2020, 1, 21 + n), day)
            sheet.write(2 + n, 3, 30 + n)
        workbook.add_worksheet("说明").write(0, 0, "x")

    table, rows = cells(book(tmp_path, fill=fill))
    assert (table.sheet, table.header_row) == ("病例", 2)
    assert rows[2] == ("A2", "宝坻区", dt.date(2020, 1, 23), 32)
    assert [r.line for r in table.rows()] == [3, 4, 5]


def test_it_takes_the_sheet_that_is_named_and_lists_them_when_it_is_not_there(tmp_path):
    def fill(workbook):
        for name in ("one", "two"):
            sheet = workbook.add_worksheet(name)
            sheet.write_row(0, 0, ["id", "sheet"])
            sheet.write_row(1, 0, [1, name])

    path = book(tmp_path, fill=fill)
    assert cells(path, sheet="two")[1] == [(1, "two")]
    with pytest.raises(FileRefused) as refused:
        cells(path, sheet="three")
    assert refused.value.rule == "file.sheet"
    assert "one, two" in refused.value.hint


ODS_CONTENT = """<?xml version="1.0" encoding="UTF-8"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>
<table:table table:name="lista">%s</table:table></office:spreadsheet></office:body>
</office:document-content>"""
ODS_ROW = (
    '<table:table-row{r}><table:table-cell{c} office:value-type="string"><text:p>{a}</text:p>'
    "</table:table-cell>"
    '<table:table-cell office:value-type="date" office:date-value="{d}"><text:p>{d}</text:p>'
    "</table:table-cell></table:table-row>"
)
ODS_HEAD = (
    '<table:table-row><table:table-cell office:value-type="string"><text:p>id</text:p>'
    "</table:table-cell>"
    '<table:table-cell office:value-type="string"><text:p>onset</text:p>'
    "</table:table-cell></table:table-row>"
)


def ods(tmp_path, body, name="list.ods"):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", ODS_CONTENT % body)
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
    return path


def test_it_reads_open_document_spreadsheets(tmp_path):
    table, rows = cells(ods(tmp_path, ODS_HEAD + ODS_ROW.format(r="", c="", a="A1", d="2020-01-21")))
    assert table.kind == "ods"
    assert rows == [("A1", dt.date(2020, 1, 21))]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "file.empty"),
        (b"\n\n\n", "file.empty"),
        (bytes(range(256)) * 40, "file.binary"),
        (b"id,name\n1,a\x00b\n", "file.binary"),
        (b"PK\x03\x04" + b"junk" * 50, "file.damaged"),
        (OLE + b"\x00" * 600, "file.damaged"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600 + "EncryptedPackage".encode("utf-16-le"),
            "file.password",
        ),
        (b"id" + b",c" * 5000 + b"\n", "file.columns"),
        (b'id,note\n1,"' + b"x" * 40_000 + b"\n", "file.cell"),
    ],
)
def test_it_refuses_what_is_no_list_and_says_what_to_do(tmp_path, content, rule):
    with pytest.raises(FileRefused) as refused:
        list(open_table(write(tmp_path, content)).rows())
    assert refused.value.rule == rule
    assert refused.value.status == 422
    assert refused.value.hint
    assert refused.value.errors[0]["rule"] == rule


def test_a_missing_or_huge_file_is_refused_before_it_is_read(tmp_path):
    with pytest.raises(FileRefused) as refused:
        open_table(tmp_path / "nothing.csv")
    assert refused.value.rule == "file.exists"
    with pytest.raises(FileRefused) as refused:
        open_table(write(tmp_path, CHINESE), limits=replace(LIMITS, file_bytes=10))
    assert refused.value.rule == "file.size"


def workbook_zip(tmp_path, parts, name="bomb.xlsx"):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        for part, content in parts.items():
            archive.writestr(part, content)
    return path


def test_a_zip_bomb_is_refused_by_its_ratio(tmp_path):
    path = workbook_zip(tmp_path, {"xl/worksheets/sheet1.xml": b" " * (80 * 1024 * 1024)})
    with pytest.raises(FileRefused) as refused:
        open_table(path)
    assert refused.value.rule == "file.bomb"


def test_a_bomb_that_lies_about_its_size_is_refused_too(tmp_path):
    """The declared sizes say 100 bytes; the packed stream holds 80 MB."""
    path = tmp_path / "liar.xlsx"
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = machine.compress(b" " * (80 * 1024 * 1024)) + machine.flush()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"")
        info = archive.getinfo("xl/worksheets/sheet1.xml")
        archive.fp.seek(info.header_offset)
        start = info.header_offset + 30 + len(info.filename)
        archive.fp.seek(start)
        archive.fp.write(packed)
        info.compress_size, info.file_size = len(packed), 100
        archive.start_dir = start + len(packed)
    with pytest.raises(FileRefused) as refused:
        open_table(path)
    assert refused.value.rule == "file.bomb"


def test_one_cell_in_the_last_corner_of_a_sheet_is_refused(tmp_path):
    corner = '<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="1048576">'
    corner += '<c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    with pytest.raises(FileRefused) as refused:
        open_table(workbook_zip(tmp_path, {"xl/worksheets/sheet1.xml": corner}))
    assert refused.value.rule == "file.bomb"


def test_an_open_document_that_repeats_a_cell_a_billion_times_is_refused(tmp_path):
    body = ODS_HEAD + ODS_ROW.format(
        r=' table:number-rows-repeated="1000000"',
        c=' table:number-columns-repeated="16000"',
        a="x",
        d="2020-01-21",
    )
    with pytest.raises(FileRefused) as refused:
        open_table(ods(tmp_path, body))
    assert refused.value.rule == "file.bomb"


def test_an_archive_that_is_no_spreadsheet_is_refused(tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(FileRefused) as refused:
        open_table(path)
    assert refused.value.rule == "file.kind"


def test_a_truncated_spreadsheet_is_refused(tmp_path):
    whole = io.BytesIO()
    with xlsxwriter.Workbook(whole) as workbook:
        workbook.add_worksheet().write_row(0, 0, ["id", "name"])
    with pytest.raises(FileRefused) as refused:
        open_table(write(tmp_path, whole.getvalue()[:-300], "cut.xlsx"))
    assert refused.value.rule == "file.damaged"


@pytest.mark.parametrize(
    "formula", ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(A1)", "\t=1", "＝1+1", " =1", "|calc"]
)
def test_an_exported_cell_never_runs_as_a_formula(formula):
    assert safe_cell(formula) == "'" + formula


@pytest.mark.parametrize(
    "value", ["+8613912345678", "-3.5", "12%", "发热", "a=b", 7, None, dt.date(2020, 1, 1)]
)
def test_ordinary_cells_are_exported_as_they_are(value):
    assert safe_cell(value) == value
