"""The mapping of a file's columns to the fields of Bihuan: its form as YAML, checked with file, line and key.

    mapping: tianjin-2020-cases          # name
    kind: linelist                       # linelist | contacts | links
    list: tianjin-2020                   # the list the identifiers belong to; contacts find cases by it
    title: {zh: …, en: …}
    file: {encoding: utf-8, delimiter: ",", sheet: 病例, header_row: 2}    # all optional: recognized
    disease: covid-19                    # constant; or a column of field case.disease
    territory:
      constant: "1201"                   # every row; or columns of fields territory.*
      within: "12"                       # names are looked for below it
      fallback: "12"                     # rows whose territory is not known go here, with a warning
      names: {宝坻: "120115"}            # names of the list -> codes
    dates: {day_first: true, year: 2020, timezone: Asia/Shanghai, era: {from: 2019-12-01, to: 2020-06-30}}
    columns:
      gender: {field: person.sex, values: {w: F}, missing: [x]}
      death: {field: case.date_outcome, implies: {case.outcome: died}}
      notes: {ignore: true}
    constants: {case.classification: confirmed}
    required: [case.local_id]            # a row without one of these is rejected

Several columns may feed one field: text is joined with "; ", anything else takes the first that is filled.

`model` is what comes out, `reading` and `checking` make it, `binding` holds it against a file, `writing`
gives it out.
"""

from bihuan.doors.exchange.mapping.binding import bind
from bihuan.doors.exchange.mapping.model import DEFAULT_TIMEZONE, ColumnMap, Mapping, TerritoryRule
from bihuan.doors.exchange.mapping.reading import MAX_BYTES, from_data, load, loads
from bihuan.doors.exchange.mapping.writing import dumps

__all__ = [
    "DEFAULT_TIMEZONE",
    "MAX_BYTES",
    "ColumnMap",
    "Mapping",
    "TerritoryRule",
    "bind",
    "dumps",
    "from_data",
    "load",
    "loads",
]
