"""Verbs on people: register, correct, join and part records, decide on look-alikes.

Rights: whoever may write cases or contacts of a territory may register and correct its people; joining and
parting asks for `person.merge` on both. Each verb is one transaction, and the history carries the actor.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from bihuan.registry import access, bulk, clock, duplicates, people, sameness, scope, territory
from bihuan.registry.actor import Actor
from bihuan.registry.audit import attributed
from bihuan.registry.duplicates import Match
from bihuan.registry.errors import Conflict, Invalid, NotAllowed, NotFound
from bihuan.registry.ids import new_ids
from bihuan.registry.models import DuplicateDecision, DuplicateVerdict, Household, MergeRecord, Person
from bihuan.registry.people import PersonInput, Prepared
from bihuan.registry.secrets import keyring
from bihuan.registry.whole import hold_whole

_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of one report: the person, whether she is new, and whom else she resembles."""

    person: Person
    is_new: bool
    matches: tuple[Match, ...] = ()


def register_person(person: PersonInput, actor: Actor) -> Person:
    """Register one person as reported. Looks for nobody: show `find_duplicates` first.

    `Invalid` for a malformed report, `UnknownTerritory` for a code that is not there, `NotAllowed`.
    """
    return register_people([person], actor)[0]


def register_people(inputs: Sequence[PersonInput], actor: Actor) -> list[Person]:
    """Register many people as reported, in order: all or none. Looks for nobody (`register_or_find` does)."""
    if not inputs:
        return []
    _require_writing({person.territory_code for person in inputs if person.territory_code})
    return _store(people.prepare_many(inputs, on=clock.today()), actor)


def register_rows(
    inputs: Sequence[PersonInput | Ready], actor: Actor, *, rows: Sequence[int] | None = None
) -> list[int]:
    """`register_people` for thousands: only their row ids are answered. Whoever is ready was judged. `rows`:
    how the caller counts them, for the faults `Invalid` names (from 0 if not said)."""
    if not inputs:
        return []
    _require_writing({p.territory_code for p in inputs if p.territory_code})
    counted = range(len(inputs)) if rows is None else rows
    told = {row: p for row, p in zip(counted, inputs, strict=True) if isinstance(p, PersonInput)}
    prepared = people.prepare_many(list(told.values()), on=clock.today(), rows=list(told)) if told else []
    made = iter([_spell(*pair) for pair in zip(prepared, new_ids("P", len(prepared)), strict=True)])
    ready = [next(made) if isinstance(person, PersonInput) else person for person in inputs]
    return [n for n, _created_at in _store_rows(ready, actor)]


def get_ready(inputs: Sequence[PersonInput], *, on: date) -> list[Ready | None]:
    """People judged and spelled out ahead, to be registered by `register_rows`; None for whoever has a fault.
    Asks no database. `on` is the local date of the judgement."""
    public_ids = new_ids("P", len(inputs))
    prepared = [people.try_prepare(person, on=on) for person in inputs]
    return [
        None if one is None else _spell(one, public_id)
        for one, public_id in zip(prepared, public_ids, strict=True)
    ]


def register_or_find(inputs: Sequence[PersonInput], actor: Actor) -> list[Registered]:
    """Register those who are not known; the way of an import with duplicate search.

    The same document number is the same person (also twice within `inputs`): nothing is stored, the known
    person is answered. Whoever only resembles somebody is registered, and the pair is kept for a decision
    (`suspected_pairs`), as no person is joined by inference alone.
    """
    if not inputs:
        return []
    _require_writing({person.territory_code for person in inputs if person.territory_code})
    prepared = people.prepare_many(inputs, on=clock.today())
    with transaction.atomic():
        found = duplicates.search(prepared)
        known = {row: m[0].person_id for row, m in enumerate(found) if m and m[0].is_sure}
        first = _first_of_each_number(prepared, known)
        fresh = [row for row in range(len(prepared)) if row not in known and first[row] == row]
        stored = dict(zip(fresh, _store([prepared[row] for row in fresh], actor), strict=True))
        similar = {row: list(found[row]) for row in fresh}
        for twin in duplicates.search_within([prepared[row] for row in fresh]):
            earlier, later = stored[fresh[twin.first]].pk, fresh[twin.second]
            similar[later].append(Match(earlier, earlier, twin.score, twin.why))
        note_suspects({stored[row].pk: matches for row, matches in similar.items() if matches})
        before = Person.objects.in_bulk(set(known.values()))
    answers = []
    for row in range(len(prepared)):
        if row in known:
            answers.append(Registered(before[known[row]], False, tuple(found[row])))
        else:
            person = stored[first[row]]
            answers.append(Registered(person, first[row] == row, tuple(similar[first[row]])))
    return answers


def _first_of_each_number(prepared: Sequence[Prepared], known: Mapping[int, int]) -> list[int]:
    """For each row, the first row of this batch with the same document number (itself when it has none)."""
    first: dict[str, int] = {}
    return [
        first.setdefault(ready.id_index, row) if ready.id_index and row not in known else row
        for row, ready in enumerate(prepared)
    ]


_WRITING: Final = ("case.write", "contact.write")
#: Whoever sets right what was reported of somebody sees it first: these classes of fields.
_SEEN_FIRST: Final = frozenset({"identity", "location"})


def may_correct(person: Person, classes: frozenset[str]) -> bool:
    """Whether the one who acts may set right what was reported of somebody, of whom she sees `classes`."""
    return classes >= _SEEN_FIRST and _may_write(person.territory_code)


def require_correcting(person: Person, classes: frozenset[str]) -> None:
    """Raise NotAllowed unless `may_correct`."""
    if not may_correct(person, classes):
        raise NotAllowed(
            _("What was reported of a person is corrected by a post that reports cases or contacts there."),
            hint=_("Ask the CDC or the office that reported her."),
        )


def _may_write(code: str) -> bool:
    return any(access.may(None, right, territory_code=code) for right in _WRITING)


def _require_writing(codes: Iterable[str]) -> None:
    """Every territory must exist (or lie in one that does) and be writable for the one who acts."""
    tree = territory.tree()
    for code in codes:
        if tree.find(code) is None and not tree.ancestors(code):
            tree.resolve(code)
        if not _may_write(code):
            access.require(_WRITING[0], territory_code=code)


# --- storing many ----------------------------------------------------------------------------------

_TYPES = {
    "id": "bigint",
    "public_id": "text",
    "territory_code": "text",
    "name": "text",
    "name_pinyin": "text",
    "name_initials": "text",
    "name_key": "text",
    "name_tokens": "text[]",
    "sex": "text",
    "date_birth": "date",
    "birth_year": "smallint",
    "age_years": "smallint",
    "age_reported_on": "date",
    "id_kind": "text",
    "id_cipher": "bytea",
    "id_index": "text",
    "phone_cipher": "bytea",
    "phone_index": "text",
    "address": "text",
    "household_id": "bigint",
    "occupation": "text",
    "source": "text",
    "local_id": "text",
    "created_at": "timestamptz",
}
_COLUMNS = ", ".join(_TYPES)
_OWN = ("id", "created_at")
_TOLD = tuple(column for column in _TYPES if column not in _OWN)
_TOKENS = _TOLD.index("name_tokens")
_WORTH_COPY = 20
SEQUENCE = "registry_person_id_seq"
_INSERT = f"""
    INSERT INTO registry_person (root_id, {_COLUMNS})
    SELECT id, {_COLUMNS} FROM json_to_recordset(%s::json)
        AS t ({", ".join(f"{column} {kind}" for column, kind in _TYPES.items())})
"""


@dataclass(frozen=True, slots=True, repr=False)
class Ready:
    """A person as she will be stored, but for the number of the row and the moment. `line`: the same columns
    as cells of COPY."""

    territory_code: str
    columns: Mapping[str, Any]
    line: str

    def __repr__(self) -> str:
        return f"Ready(territory_code={self.territory_code!r})"


def _spell(prepared: Prepared, public_id: str) -> Ready:
    columns = {"public_id": public_id, **people.columns(prepared, public_id=public_id)}
    values = [columns[column] for column in _TOLD]
    values[_TOKENS] = "{" + ",".join([f'"{token}"' for token in columns["name_tokens"]]) + "}"
    return Ready(prepared.given.territory_code, columns, bulk.line(values))


def _store(prepared: Sequence[Prepared], actor: Actor) -> list[Person]:
    rows = [_spell(*pair) for pair in zip(prepared, new_ids("P", len(prepared)), strict=True)]
    return [_instance(_row(n, at, one)) for (n, at), one in zip(_store_rows(rows, actor), rows, strict=True)]


def _store_rows(people_ready: Sequence[Ready], actor: Actor) -> list[tuple[int, datetime]]:
    """Insert in chunks with one statement each; the number of each row and when it was made."""
    now, stored = clock.now(), []
    copying = len(people_ready) >= _WORTH_COPY and bulk.copies("registry_person")
    with transaction.atomic(), attributed(actor):
        for start in range(0, len(people_ready), _CHUNK):
            part = people_ready[start : start + _CHUNK]
            ids = bulk.take(SEQUENCE, len(part))
            if copying:
                at = now.isoformat()
                lines = [f"{n}\t{n}\t{at}\t{one.line}" for n, one in zip(ids, part, strict=True)]
                bulk.put("registry_person", ("id", "root_id", "created_at", *_TOLD), lines)
            else:  # COPY is not open to a role under row-level security: one JSON text is next to it
                rows = [_row(n, now, one) for n, one in zip(ids, part, strict=True)]
                bulk.write(_INSERT, [json.dumps(rows, default=_as_json, ensure_ascii=False)])
            stored += [(n, now) for n in ids]
    return stored


def _row(number: int, created_at: datetime, one: Ready) -> dict[str, Any]:
    return {"id": number, "created_at": created_at, **one.columns}


def _as_json(value: Any) -> str:
    """Bytes in PostgreSQL's hex form, dates and instants in ISO form."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value.isoformat()


def _instance(row: Mapping[str, Any]) -> Person:
    person = Person(root_id=row["id"], **row)
    person._state.adding = False
    person._state.db = "default"
    return person


# --- correcting ------------------------------------------------------------------------------------


def update_person(person_id: int, changes: Mapping[str, Any], actor: Actor, *, reason: str = "") -> Person:
    """Correct what was reported of a person. `changes` are fields of `PersonInput` with their new values.

    The old version stays in the history, with the actor and the reason. Nothing changes when nothing differs.
    Moving her to another territory asks for the right on both. What follows (`people.following`: with the
    document goes the date of birth that was read from it) changes too, unless `changes` says otherwise.
    """
    unknown = set(changes) - {f.name for f in fields(PersonInput)}
    if unknown:
        raise Invalid(_("A person has no field %(names)s.") % {"names": ", ".join(sorted(unknown))})
    with transaction.atomic(), attributed(actor, reason=reason):
        person = _locked(person_id)
        told = as_input(person)
        wanted = replace(told, **{**people.following(told, changes, on=clock.today()), **changes})
        _require_writing({person.territory_code, wanted.territory_code})
        before = people.prepare(told, on=clock.today())
        after = people.prepare(wanted, on=clock.today())
        values = people.columns(after, public_id=person.public_id)
        kept = {"id_cipher"} if after.id_number == before.id_number else set()
        kept |= {"phone_cipher"} if after.phone == before.phone else set()
        changed = [c for c, v in values.items() if c not in kept and getattr(person, c) != v]
        for column in changed:
            setattr(person, column, values[column])
        if changed:
            with scope.system():  # the new territory may lie outside the scope in which she is visible
                person.save(update_fields=changed)
    return person


def as_input(person: Person) -> PersonInput:
    """What was reported of a person, numbers opened. Whoever shows it calls `audit.log_read`."""
    ring = keyring()
    places = people.id_place(person.public_id), people.phone_place(person.public_id)
    number = ring.decrypt(person.id_cipher, place=places[0]) if person.id_cipher else ""
    phone = ring.decrypt(person.phone_cipher, place=places[1]) if person.phone_cipher else ""
    return PersonInput(
        territory_code=person.territory_code,
        name=person.name,
        sex=person.sex,
        date_birth=person.date_birth,
        age_years=person.age_years,
        age_reported_on=person.age_reported_on,
        id_kind=person.id_kind,
        id_number=number,
        phone=phone,
        address=person.address,
        household_id=person.household_id,
        occupation=person.occupation,
        source=person.source,
        local_id=person.local_id,
    )


def _locked(person_id: int) -> Person:
    person = Person.objects.select_for_update().filter(id=person_id).first()
    if person is None:
        raise _unknown(person_id)
    if person.shredded_at:
        raise Conflict(
            _("The identity of %(person)s was destroyed and cannot come back.")
            % {"person": person.public_id},
            code="shredded",
        )
    return person


def _unknown(person_id: int) -> NotFound:
    return NotFound(_("Person %(person)s is not here.") % {"person": person_id}, code="unknown-person")


def register_household(*, address: str, territory_code: str, actor: Actor, unit_code: str = "") -> Household:
    """Register where people live together. `unit_code`: the ten-household unit, at or below the territory."""
    _require_writing({territory_code})
    if unit_code and not unit_code.startswith(territory_code):
        raise Invalid(
            _("The ten-household unit %(unit)s does not lie in %(code)s.")
            % {"unit": unit_code, "code": territory_code},
            errors=[{"field": "unit_code", "rule": "below", "message": "", "hint": ""}],
            hint=_("A unit's code starts with the code of its community."),
        )
    with transaction.atomic(), attributed(actor):
        return Household.objects.create(
            address=address.strip(), territory_code=territory_code, unit_code=unit_code
        )


# --- joining and parting ---------------------------------------------------------------------------


def merge_people(*, keep: int, merge: int, reason: str, actor: Actor) -> MergeRecord:
    """Two records are one person. Both rows stay as they are; `root` of the merged group becomes that of
    `keep`, so that every query finds all of it under one person. Takes back by `unmerge`."""
    _require_reason(reason)
    with transaction.atomic(), attributed(actor, reason=reason):
        kept, merged = _both(keep, merge)
        if kept.root_id == merged.root_id:
            raise Conflict(
                _("%(a)s and %(b)s are one person already.") % {"a": kept.public_id, "b": merged.public_id},
                code="already-merged",
            )
        _refuse_contradictions(kept, merged)
        now = clock.now()
        record = MergeRecord.objects.create(
            kept=kept,
            merged=merged,
            territory_code=sameness.common_code(kept.territory_code, merged.territory_code),
            reason=reason.strip(),
            merged_at=now,
            merged_by_account_id=actor.account_id,
            merged_by_post_id=actor.post_id,
        )
        _set_roots({kept.root_id, merged.root_id})
        _decide(kept, merged, DuplicateVerdict.SAME, reason, actor, now)
    return record


def unmerge(record_id: int, *, reason: str, actor: Actor) -> MergeRecord:
    """Take a merge back. Who stands for whom is then as if it had never been made."""
    _require_reason(reason)
    with transaction.atomic(), attributed(actor, reason=reason):
        record = MergeRecord.objects.select_for_update().filter(id=record_id).first()
        if record is None:
            raise NotFound(_("Merge %(id)s is not here.") % {"id": record_id}, code="unknown-merge")
        kept, merged = _both(record.kept_id, record.merged_id)
        if record.undone_at:
            raise Conflict(
                _("Merge %(id)s was taken back before.") % {"id": record_id}, code="already-undone"
            )
        record.undone_at = clock.now()
        record.undone_reason = reason.strip()
        record.undone_by_account_id, record.undone_by_post_id = actor.account_id, actor.post_id
        record.save()
        _set_roots({kept.root_id, merged.root_id})
        _decide(kept, merged, DuplicateVerdict.OPEN, reason, actor, record.undone_at)
    return record


def decide_not_same(a: int, b: int, *, reason: str, actor: Actor) -> DuplicateDecision:
    """Two records are two people: the search does not bring them up again, and they cannot be merged."""
    _require_reason(reason)
    with transaction.atomic():
        first, second = _both(a, b)
        if first.root_id == second.root_id:
            raise Conflict(
                _("%(a)s and %(b)s are merged.") % {"a": first.public_id, "b": second.public_id},
                code="already-merged",
                hint=_("Take the merge back first."),
            )
        return _decide(first, second, DuplicateVerdict.DIFFERENT, reason, actor, clock.now())


def reopen_decision(a: int, b: int, *, reason: str, actor: Actor) -> DuplicateDecision:
    """Let the question whether two records are one person be open again."""
    _require_reason(reason)
    with transaction.atomic():
        first, second = _both(a, b)
        return _decide(first, second, DuplicateVerdict.OPEN, reason, actor, clock.now())


def note_suspects(similar: Mapping[int, Sequence[Match]]) -> int:
    """Keep pairs that look like one person for a decision. Pairs decided before stay decided."""
    ids = set(similar) | {match.record_id for matches in similar.values() for match in matches}
    codes = dict(Person.objects.filter(id__in=ids).values_list("id", "territory_code"))
    now = clock.now()
    pairs = {
        (min(person, match.record_id), max(person, match.record_id)): match
        for person, matches in similar.items()
        for match in matches
    }
    rows = [
        DuplicateDecision(
            low_id=low,
            high_id=high,
            territory_code=sameness.common_code(codes[low], codes[high]),
            score=match.score,
            why=[{"field": r.field, "how": r.how, "points": r.points} for r in match.why],
            found_at=now,
        )
        for (low, high), match in pairs.items()
    ]
    with scope.system():  # a pair of two territories lies above the scope of one of them
        DuplicateDecision.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
    return len(rows)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise Invalid(
            _("A reason is needed."),
            errors=[{"field": "reason", "rule": "required", "message": _("A reason is needed."), "hint": ""}],
        )


def _both(a: int, b: int) -> tuple[Person, Person]:
    """Two records, locked with all that are joined with them, with the right to join or part them."""
    hold_whole([a, b])
    rows = {p.pk: p for p in Person.objects.select_for_update().filter(id__in=[a, b]).order_by("id")}
    for person_id in (a, b):
        if person_id not in rows:
            raise _unknown(person_id)
        access.require("person.merge", territory_code=rows[person_id].territory_code)
    if a == b:
        raise Invalid(_("A record cannot be joined with itself."), code="same-record")
    return rows[a], rows[b]


def _refuse_contradictions(kept: Person, merged: Person) -> None:
    """Nothing that was decided or documented of the two groups may speak against joining them."""
    with scope.system():
        groups = Person.objects.filter(root_id__in=[kept.root_id, merged.root_id])
        rows = list(groups.values_list("id", "root_id", "id_kind", "id_index"))
        a, b = ([row for row in rows if row[1] == root] for root in (kept.root_id, merged.root_id))
        different = DuplicateDecision.objects.filter(
            Q(low_id__in=[row[0] for row in a], high_id__in=[row[0] for row in b])
            | Q(low_id__in=[row[0] for row in b], high_id__in=[row[0] for row in a]),
            verdict=DuplicateVerdict.DIFFERENT,
        ).exists()
    both = {"a": kept.public_id, "b": merged.public_id}
    if different:
        raise Conflict(
            _("%(a)s and %(b)s were decided not to be the same person.") % both,
            code="decided-different",
            hint=_("Reopen that decision first, with a reason."),
        )
    if any(x[2] == y[2] and x[3] and y[3] and x[3] != y[3] for x in a for y in b):
        raise Conflict(
            _("%(a)s and %(b)s have two different numbers of the same kind of document.") % both,
            code="different-documents",
            hint=_("If one of the numbers is wrong, correct it first."),
        )


def _set_roots(groups: set[int]) -> None:
    """Compute who stands for whom in these groups from the merges that hold. Reaches beyond the scope, as a
    group may have records of several territories."""
    with scope.system():
        records = {
            row["id"]: row
            for row in Person.objects.select_for_update()
            .filter(root_id__in=groups)
            .order_by("id")
            .values("id", "root_id", "merged_into_id")
        }
        holding = MergeRecord.objects.filter(
            Q(kept_id__in=records) | Q(merged_id__in=records), undone_at__isnull=True
        )
        joins = [sameness.Join(*row) for row in holding.values_list("id", "kept_id", "merged_id")]
        wanted = sameness.roots(records, joins)
        for record_id, root in wanted.items():
            if records[record_id]["root_id"] != root:
                into = None if root == record_id else root
                Person.objects.filter(id=record_id).update(root_id=root, merged_into_id=into)


def _decide(
    a: Person, b: Person, verdict: DuplicateVerdict, reason: str, actor: Actor, now: datetime
) -> DuplicateDecision:
    low, high = sorted([a, b], key=lambda person: person.pk)
    decided = {
        "verdict": verdict,
        "reason": reason.strip(),
        "decided_at": None if verdict == DuplicateVerdict.OPEN else now,
        "decided_by_account_id": actor.account_id,
        "decided_by_post_id": actor.post_id,
    }
    found = {"found_at": now, "territory_code": sameness.common_code(low.territory_code, high.territory_code)}
    with scope.system():
        row, _made = DuplicateDecision.objects.update_or_create(
            low=low, high=high, defaults=decided, create_defaults={**decided, **found}
        )
    return row
