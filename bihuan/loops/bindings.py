"""From the packs in force to bound definitions: parsed once, bound once a policy, stored once a digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from bihuan.loops.conditions import compile_for
from bihuan.loops.errors import BadDefinition
from bihuan.loops.models import Binding
from bihuan.loops.rules.bound import BoundDefinition, CannotBind, as_dict, bind, from_dict
from bihuan.loops.rules.definition import Definition, InvalidDefinition, parse
from bihuan.policy import packs

_parsed: dict[int, tuple[Any, Definition]] = {}
_bound: dict[tuple[str, str], BoundDefinition] = {}
_ids: dict[str, int] = {}
_by_id: dict[int, BoundDefinition] = {}


def forget() -> None:
    """Drop every copy in memory: after packs were read again, and between tests."""
    for cache in (_parsed, _bound, _ids, _by_id):
        cache.clear()
    _of_subject.cache_clear()


def look_again() -> None:
    """Drop ids that are not stored (their transaction was rolled back). Once at the start of a batch."""
    if not _ids:
        return
    stored = set(Binding.objects.filter(id__in=_ids.values()).values_list("id", flat=True))
    for digest, number in list(_ids.items()):
        if number not in stored:
            del _ids[digest]


def definitions(territory_code: str, on: date | datetime) -> dict[str, BoundDefinition]:
    """Every definition in force at a place and time, by name."""
    policy = packs.in_force(territory_code, on)
    return {name: _bind(policy, name) for name in policy.loops}


def of(policy: Any, name: str) -> BoundDefinition | None:
    """One definition as a policy binds it; None when the policy has none of that name."""
    return _bind(policy, name) if name in policy.loops else None


def opening(subject_kind: str, territory_code: str, on: date | datetime) -> list[BoundDefinition]:
    """The definitions in force that follow subjects of this kind."""
    policy = packs.in_force(territory_code, on)
    return [_bind(policy, name) for name in _of_subject(policy, subject_kind)]


@lru_cache(maxsize=1024)
def _of_subject(policy: Any, subject_kind: str) -> tuple[str, ...]:
    return tuple(name for name in policy.loops if _bind(policy, name).subject == subject_kind)


def _bind(policy: Any, name: str) -> BoundDefinition:
    found = _bound.get((policy.id, name))
    if found is None:
        definition = _parse(policy.loops[name])
        try:
            found = bind(definition, policy, compile_for(definition.subject))
        except CannotBind as error:
            raise _bad(name, error.problems) from error
        _bound[(policy.id, name)] = found
    return found


def _parse(text: Any) -> Definition:
    kept = _parsed.get(id(text))
    if kept is None or kept[0] is not text:
        try:
            kept = (text, parse(text.name, text.definition, where=f"{text.file}: loops.{text.name}"))
        except InvalidDefinition as error:
            raise _bad(text.name, error.problems) from error
        _parsed[id(text)] = kept
    return kept[1]


def _bad(name: str, problems: Iterable[Any]) -> BadDefinition:
    return BadDefinition(
        _("The loop definition %(name)s cannot be used.") % {"name": name},
        errors=[
            {"field": p.where, "rule": "definition", "message": p.message, "hint": ", ".join(p.allowed)}
            for p in problems
        ],
        hint=_("Mend the pack; bihuan policy lint shows every problem."),
    )


def id_of(bound: BoundDefinition) -> int:
    """The stored id of a bound definition; stores it the first time."""
    found = _ids.get(bound.digest)
    if found is None:
        row, _made = Binding.objects.get_or_create(
            digest=bound.digest,
            defaults={"definition": bound.name, "policy_id": bound.policy_id, "body": as_dict(bound)},
        )
        found = _ids[bound.digest] = row.id
        _by_id[found] = bound
    return found


def load(ids: Iterable[int]) -> dict[int, BoundDefinition]:
    """Bound definitions by their stored ids, as they were when stored."""
    wanted = set(ids)
    missing = wanted - _by_id.keys()
    for row in Binding.objects.filter(id__in=missing) if missing else ():
        _by_id[row.id] = from_dict(row.body, compile_for(row.body["subject"]))
    return {n: _by_id[n] for n in wanted}


def shape(name: str) -> BoundDefinition | None:
    """The newest stored form of a definition, for its label, group and stages; None if none was ever used."""
    number = Binding.objects.filter(definition=name).order_by("-id").values_list("id", flat=True).first()
    return load([number])[number] if number is not None else None


def by_digest(digests: Iterable[str]) -> dict[str, tuple[int, BoundDefinition]]:
    """Stored ids and bound definitions by digest."""
    rows = dict(Binding.objects.filter(digest__in=set(digests)).values_list("id", "digest"))
    return {
        digest: (n, bound) for (n, bound), digest in ((pair, rows[pair[0]]) for pair in load(rows).items())
    }


def why(bound: BoundDefinition, kind: str) -> Mapping[str, Any]:
    """What the page "why" shows of a duty: label, verb, evidence asked, and the pack, rule and clause it is
    from."""
    duty = bound.duties[kind]
    return {
        "label": duty.label, "verb": duty.verb, "evidence": duty.evidence, "pack": duty.pack,
        "rule": duty.rule,
        "clause": duty.clause, "clock": duty.start_event or duty.start_fact or "opened",
        "policy": bound.policy_id,
    }  # fmt: skip
