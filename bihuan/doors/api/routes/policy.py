"""Policy: rules in force at a place and date, one value with its reason, packs, what differs between two."""

from datetime import date
from typing import Any

from django.utils.translation import get_language
from ninja import Query, Router, Schema
from pydantic import Field

from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.reading import Day
from bihuan.doors.api.shapes import told
from bihuan.policy import queries
from bihuan.policy.queries import DiffRow, PackRow, RuleRow
from bihuan.registry import clock, territory
from bihuan.registry.territory import tz_of

router = Router()


class CoveredOut(Schema):
    """What a lower layer says, covered by a higher one."""

    pack: str
    value: Any
    shown: str
    sentence: str
    source: str
    clause: str
    confidence: str


class RuleOut(Schema):
    """One rule in force: a value or an expression, with the layer and clause that gave it."""

    key: str
    kind: str
    group: str
    title: str
    value: Any
    shown: str
    words: str
    unit: str
    sentence_zh: str
    sentence_en: str
    pack: str
    layer_title: str
    territory: str
    source: str
    clause: str
    confidence: str
    date_from: date | None
    date_to: date | None
    overridden: list[CoveredOut]


class Rules(Schema):
    territory_code: str
    on: date
    items: list[RuleOut]


class PackOut(Schema):
    id: str
    title: str
    about: str
    territory: str
    extends: str
    date_from: date | None
    date_to: date | None
    tz: str
    transition: str
    sunset: date | None
    n_values: int
    n_rules: int
    loops: list[str]
    n_unverified: int


class Packs(Schema):
    items: list[PackOut]


class PackWhole(Schema):
    pack: PackOut
    items: list[RuleOut]


class DiffOut(Schema):
    """A key that two packs answer differently; "" and null where one has no answer."""

    key: str
    title: str
    a: Any
    b: Any
    a_shown: str
    b_shown: str
    a_sentence: str
    b_sentence: str


class Diff(Schema):
    a: str
    b: str
    items: list[DiffOut]


class PlaceQuery(Schema):
    """Policy is public: it may be asked of any territory. Default: the post's own, today."""

    territory: str = Field("", max_length=40)
    on: Day | None = None


@operation(router, "GET", "/policy/rules", right="policy.view", response=Rules)
def list_rules(call: Call, asked: Query[PlaceQuery]) -> Rules:
    """Every value and rule in force at a place and date"""
    code, on = _where(call, asked)
    rows = queries.rules_in_force(code, on, _language())
    return Rules(territory_code=code, on=on, items=[_rule(row) for row in rows])


@operation(router, "GET", "/policy/rules/{key}", right="policy.view", response=RuleOut)
def get_rule(call: Call, key: str, asked: Query[PlaceQuery]) -> RuleOut:
    """One value in force, with the layer and clause that gave it"""
    code, on = _where(call, asked)
    return _rule(queries.rule_in_force(key, code, on, _language()))


@operation(router, "GET", "/policy/in-force", right="policy.view", response=Packs)
def list_packs_in_force(call: Call, asked: Query[PlaceQuery]) -> Packs:
    """The packs that speak at a place and date, the narrowest first"""
    code, on = _where(call, asked)
    return Packs(items=[_pack(row) for row in queries.packs_in_force(code, on, _language())])


@operation(router, "GET", "/policy/packs", right="policy.view", response=Packs)
def list_packs(call: Call) -> Packs:
    """Every pack, the widest territory first"""
    return Packs(items=[_pack(row) for row in queries.all_packs(_language())])


@operation(router, "GET", "/policy/packs/{pack}", right="policy.view", response=PackWhole)
def get_pack(call: Call, pack: str) -> PackWhole:
    """One pack and all it says itself"""
    found = queries.pack_detail(pack, _language())
    return PackWhole(pack=_pack(found.pack), items=[_rule(row) for row in found.rows])


@operation(router, "GET", "/policy/diff", right="policy.view", response=Diff)
def diff_packs(call: Call, a: str = Query(..., max_length=120), b: str = Query(..., max_length=120)) -> Diff:
    """The keys that two packs answer differently"""
    return Diff(a=a, b=b, items=[_diff(row) for row in queries.diff(a, b, _language())])


def _where(call: Call, asked: PlaceQuery) -> tuple[str, date]:
    code = territory.resolve(asked.territory).code if asked.territory else call.scope.lo
    return code, asked.on or clock.today(tz_of(code))


def _language() -> str:
    return (get_language() or "zh").split("-")[0]


def _rule(row: RuleRow) -> RuleOut:
    given = {name: getattr(row, name) for name in RuleOut.model_fields if name not in ("value", "overridden")}
    covered = [
        CoveredOut(
            pack=c.pack,
            value=told(c.value),
            shown=c.shown,
            sentence=c.sentence,
            source=c.source,
            clause=c.clause,
            confidence=c.confidence,
        )
        for c in row.overridden
    ]
    return RuleOut(**given, value=told(row.value), overridden=covered)


def _pack(row: PackRow) -> PackOut:
    return PackOut(**{name: getattr(row, name) for name in PackOut.model_fields})


def _diff(row: DiffRow) -> DiffOut:
    given = {name: getattr(row, name) for name in DiffOut.model_fields if name not in ("a", "b")}
    return DiffOut(a=told(row.a), b=told(row.b), **given)
