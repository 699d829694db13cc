"""The fields a column can be mapped to. One list for guessing, mapping, parsing, preview and documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bihuan.cases.rules import words as case_words
from bihuan.tracing.rules import words as contact_words

LINELIST = "linelist"
CONTACTS = "contacts"
LINKS = "links"
KINDS = (LINELIST, CONTACTS, LINKS)


@dataclass(frozen=True)
class Field:
    """`kind` chooses the parser. `codes`: allowed canonical values of a code list.

    `era`: a date of the outbreak, held against the list's era and the as-of date (a birth date is not).
    """

    key: str
    kind: str  # text | id | name | sex | age | birth | date | code | bool | phone | id_number | territory
    zh: str
    en: str
    lists: tuple[str, ...] = (LINELIST,)
    codes: tuple[str, ...] = ()
    longest: int = 500

    @property
    def era(self) -> bool:
        return self.kind == "date"


# The words themselves belong to the rooms; a list is read into them.
CLASSIFICATIONS = tuple(case_words.Classification)
SEVERITIES = tuple(s for s in case_words.Severity if s != case_words.Severity.UNKNOWN)
OUTCOMES = tuple(o for o in case_words.Outcome if o != case_words.Outcome.UNKNOWN)
ORIGINS = tuple(case_words.Origin)
RESULTS = tuple(r for r in case_words.TestResult if r != case_words.TestResult.PENDING)
EXPOSURES = tuple(contact_words.ExposureKind)
SEXES = ("F", "M", "O", "U")
FINAL_STATUS = ("completed", "lost", "ongoing", "became_case", "insufficient")

_PEOPLE = (LINELIST, CONTACTS)


def _fields() -> Iterable[Field]:
    for key, kind, zh, en, longest in (
        ("person.name", "name", "姓名", "Name", 120),
        ("person.sex", "sex", "性别", "Sex", 20),
        ("person.age", "age", "年龄", "Age", 20),
        ("person.birth_date", "birth", "出生日期", "Date of birth", 40),
        ("person.id_number", "id_number", "身份证号", "Identity number", 40),
        ("person.phone", "phone", "电话", "Phone", 40),
        ("person.address", "text", "住址", "Address", 300),
        ("person.occupation", "text", "职业", "Occupation", 80),
    ):
        yield Field(key, kind, zh, en, _PEOPLE, longest=longest)
    for key, zh, en in (
        ("territory.code", "行政区划代码", "Territory code"),
        ("territory.province", "省", "Province"),
        ("territory.city", "市", "City"),
        ("territory.county", "县区", "County"),
        ("territory.street", "乡镇街道", "Township or street"),
        ("territory.community", "村社区", "Village or community"),
    ):
        yield Field(key, "territory", zh, en, _PEOPLE, longest=120)
    yield Field("case.local_id", "id", "病例编号", "Case id in the list", longest=64)
    yield Field("case.disease", "text", "病种", "Disease", longest=64)
    for key, codes, zh, en in (
        ("case.classification", CLASSIFICATIONS, "病例分类", "Classification"),
        ("case.severity", SEVERITIES, "临床分型", "Severity"),
        ("case.outcome", OUTCOMES, "转归", "Outcome"),
        ("case.origin", ORIGINS, "来源类型", "Origin"),
        ("case.sample_result", RESULTS, "检测结果", "Test result"),
    ):
        yield Field(key, "code", zh, en, codes=codes)
    for key, zh, en in (
        ("case.date_onset", "发病日期", "Onset"),
        ("case.date_visit", "就诊日期", "First visit"),
        ("case.date_sample", "采样日期", "Specimen taken"),
        ("case.date_result", "结果日期", "Result"),
        ("case.date_diagnosis", "诊断日期", "Diagnosis"),
        ("case.date_confirmation", "确诊日期", "Confirmation"),
        ("case.date_report", "报告日期", "Report"),
        ("case.date_isolation", "隔离日期", "Isolation"),
        ("case.date_admission", "入院日期", "Admission"),
        ("case.date_outcome", "转归日期", "Outcome"),
    ):
        yield Field(key, "date", zh, en)
    yield Field("case.source_text", "text", "感染来源", "Source in words", longest=1000)
    yield Field("case.facility", "text", "就诊或确诊机构", "Facility", longest=200)
    yield Field("case.symptoms", "text", "症状", "Symptoms", longest=1000)
    yield Field("case.note", "text", "备注", "Note", _PEOPLE, longest=2000)
    yield Field("contact.local_id", "id", "密接编号", "Contact id in the list", (CONTACTS,), longest=64)
    yield Field("contact.case_id", "id", "关联病例编号", "Source case id", (CONTACTS, LINKS), longest=64)
    yield Field("contact.to_case_id", "id", "被感染者病例编号", "Later case id", (LINKS,), longest=64)
    yield Field("contact.exposure", "code", "暴露方式", "Exposure", (CONTACTS, LINKS), EXPOSURES)
    yield Field(
        "contact.exposure_text", "text", "暴露描述", "Exposure in words", (CONTACTS, LINKS), longest=300
    )
    for key, zh, en in (
        ("contact.date_reported", "登记日期", "Notified"),
        ("contact.date_first_exposure", "首次暴露日期", "First exposure"),
        ("contact.date_last_exposure", "末次暴露日期", "Last exposure"),
        ("contact.date_follow_up_start", "观察开始日期", "Follow-up start"),
        ("contact.date_follow_up_end", "观察结束日期", "Follow-up end"),
        ("contact.date_became_case", "转为病例日期", "Became a case on"),
    ):
        lists = (CONTACTS, LINKS) if "exposure" in key else (CONTACTS,)
        yield Field(key, "date", zh, en, lists)
    yield Field("contact.final_status", "code", "最终观察状态", "Final status", (CONTACTS,), FINAL_STATUS)
    yield Field(
        "contact.approver", "text", "批准人或单位", "Who decided the observation", (CONTACTS,), longest=120
    )
    yield Field("contact.reachable", "bool", "是否可联系", "Reachable", (CONTACTS,))


FIELDS: dict[str, Field] = {f.key: f for f in _fields()}


def fields_of(kind: str) -> list[Field]:
    """The fields a list of this kind may carry, in the order a form shows them."""
    return [f for f in FIELDS.values() if kind in f.lists]
