"""The access log, the chain over it, and the shredder that the chain survives."""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime

import psycopg
import pytest
from django.db import connection, transaction

from bihuan.doors.cli.main import run
from bihuan.registry import audit, chain, clock, scope, shredder
from bihuan.registry.actions import people as verbs
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, Invalid
from bihuan.registry.models import AccessLog, ChainBlock, Household, Person, ShredRecord, Territory
from bihuan.registry.people import PersonInput
from bihuan.registry.scope import Scope
from tests.rules.test_identity import number

ACTOR = Actor.system("test")
STREET = "420302001"


@pytest.fixture
def world(db):
    Territory.objects.get_or_create(
        code=STREET, defaults={"name": "街道", "level": 4, "parent_code": "420302"}
    )
    with scope.system(), clock.frozen(datetime(2020, 2, 5, 4, tzinfo=UTC)):
        yield


def make_street() -> None:
    told = {"name": "街道", "level": 4, "parent_code": "420302"}
    Territory.objects.get_or_create(code=STREET, defaults=told)


def people(n: int, **told) -> list[Person]:
    told = {"territory_code": STREET, "name": "周小明", **told}
    return verbs.register_people([PersonInput(**told)] * n, ACTOR)


def execute(sql: str, *, triggers: bool = False) -> None:
    """What somebody with the owner's password can do: also switch the triggers off."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not triggers:
            cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)
        cursor.execute("SET LOCAL session_replication_role = origin")


def kinds(**options) -> list[tuple[str, str]]:
    return [(breach.kind, breach.table) for breach in chain.verify(**options).breaches]


# --- who looked ------------------------------------------------------------------------------------


def test_a_reading_is_logged_with_who_whom_which_fields_and_why(world):
    a, b = people(2)
    acting = Scope(lo="420302", account_id=None, post_id=None, role="cdc_officer")
    with scope.acting_as(acting), audit.through("web", request_id="r1", name="officer"):
        assert audit.log_read([a, b.pk, a], ["phone", "name"], "case investigation") == 2
    look = audit.who_looked(a.pk)[0]
    assert (look.who, look.fields, look.purpose, look.door) == (
        "officer",
        ("name", "phone"),
        "case investigation",
        "web",
    )


def test_no_purpose_no_reading(world):
    with pytest.raises(Invalid):
        audit.log_read(people(1), ["name"], "  ")
    assert not AccessLog.objects.exists()


def test_who_is_outside_the_scope_cannot_have_been_read(world):
    inside, outside = people(1)[0], people(1, territory_code=STREET)[0]
    Person.objects.filter(id=outside.pk).update(territory_code="420303001")
    with scope.acting_as(Scope(lo="420302")):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE bihuan_door")
        assert audit.log_read([inside, outside], ["name"], "look") == 1
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")


def test_looks_at_a_joined_record_show_on_the_person(world):
    a, b = people(2)
    audit.log_read([b], ["name"], "before the merge")
    verbs.merge_people(keep=a.pk, merge=b.pk, reason="same", actor=ACTOR)
    assert [look.purpose for look in audit.who_looked(a.pk)] == ["before the merge"]


@pytest.mark.parametrize(
    "sql", ["UPDATE registry_accesslog SET purpose = 'x'", "DELETE FROM registry_accesslog"]
)
def test_the_access_log_can_neither_be_changed_nor_deleted(world, sql):
    audit.log_read(people(1), ["name"], "look")
    with pytest.raises(Exception, match="Cannot update or delete"):
        execute(sql, triggers=True)


# --- the chain -------------------------------------------------------------------------------------


def test_a_sealed_chain_proves_and_nothing_new_makes_no_block(world):
    people(3)
    sealed = chain.seal()
    assert (sealed.number, sealed.rows) == (1, 3)
    assert chain.seal().number is None
    result = chain.verify(expected_head=sealed.head, deep=True)
    assert (result.ok, result.rows, result.unsealed, result.head) == (True, 3, 0, sealed.head)


def test_every_history_and_append_only_table_is_chained():
    tables = chain.chained_tables()
    assert {
        "registry_personevent",
        "registry_accesslog",
        "registry_shredrecord",
        "registry_postevent",
    } <= set(tables)
    assert tables["registry_personevent"].key == "pgh_id"


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE {t} SET sex = 'F' WHERE pgh_id = {id}", "altered"),
        ("UPDATE {t} SET name = '' WHERE pgh_id = {id}", "altered"),
        ("UPDATE {t} SET salt = gen_random_uuid() WHERE pgh_id = {id}", "altered"),
        ("DELETE FROM {t} WHERE pgh_id = {id}", "deleted"),
        ("UPDATE {t} SET pgh_created_at = pgh_created_at + interval '1s' WHERE pgh_id = {id}", "altered"),
    ],
)
def test_a_row_altered_or_deleted_behind_the_triggers_is_named(world, sql, kind):
    people(5)
    chain.seal()
    event = Person.pgh_event_model.objects.order_by("pgh_id")[2]
    execute(sql.format(t="registry_personevent", id=event.pgh_id))
    breach = chain.verify().breaches[0]
    assert (breach.kind, breach.table) == (kind, "registry_personevent")
    assert breach.first <= event.pgh_id <= breach.last
    assert breach.last - breach.first < 1000


def test_a_row_put_in_below_the_head_is_named(world):
    people(3)
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('registry_accesslog', 'id'))")
        (gap,) = cursor.fetchone()
    audit.log_read(people(1), ["name"], "look")
    chain.seal()
    execute(
        "INSERT INTO registry_accesslog"
        " (id, territory_code, at, person_id, fields, purpose, door, actor_name, request_id, glass)"
        f" SELECT {gap}, territory_code, at, person_id, fields, purpose, door, actor_name, request_id, glass"
        " FROM registry_accesslog LIMIT 1"
    )
    assert kinds() == [("inserted", "registry_accesslog")]


def test_a_block_altered_left_out_or_cut_off_is_seen(world):
    people(1)
    chain.seal()
    people(1)
    second = chain.seal()
    for change in ("sealed_at = sealed_at + interval '1 day'", "content = content || '{\"number\": 7}'"):
        with transaction.atomic():
            execute(f"UPDATE registry_chainblock SET {change} WHERE number = 1")
            assert kinds() == [("block", "")]
            transaction.set_rollback(True)
    execute("DELETE FROM registry_chainblock WHERE number = 1")
    assert ("block", "") in kinds()
    execute("DELETE FROM registry_chainblock")
    assert kinds(expected_head=second.head) == [("head", "")]


def test_a_block_forged_without_the_key_is_seen(world):
    people(1)
    chain.seal()
    block = ChainBlock.objects.get()
    content = {**block.content, "heads": {}}
    forged = chain._hash(block.previous, content)
    execute(f"UPDATE registry_chainblock SET hash = '{forged}', content = '{json.dumps(content)}'::jsonb")
    assert kinds() == [("key", "")]


def test_a_live_row_changed_behind_the_triggers_is_seen_by_a_deep_look(world):
    person = people(2)[1]
    chain.seal()
    execute(f"UPDATE registry_person SET name = '李明' WHERE id = {person.pk}")
    assert kinds() == []
    assert kinds(deep=True) == [("live", "registry_person")]


def test_a_live_row_deleted_behind_the_triggers_is_seen_by_a_deep_look(world):
    kept, gone, _third = people(3)
    chain.seal()
    execute(f"DELETE FROM registry_person WHERE id = {gone.id}")
    assert kinds() == []
    [breach] = chain.verify(deep=True).breaches
    assert (breach.kind, breach.table, breach.first, breach.last) == (
        "live", "registry_person", gone.id, gone.id,
    )  # fmt: skip
    assert "1 rows" in breach.message
    assert kept.id != gone.id


def test_a_live_row_put_in_behind_the_triggers_is_seen_by_a_deep_look(world):
    people(1)
    execute(
        "INSERT INTO registry_household (public_id, address, territory_code, unit_code)"
        f" VALUES ('H-0000000001', 'x', '{STREET}', '')"
    )
    assert kinds(deep=True) == [("live", "registry_household")]


def test_a_row_deleted_as_history_tells_is_no_breach(world):
    home = Household.objects.create(public_id="H-0000000002", address="x", territory_code=STREET)
    home.delete()
    chain.seal()
    assert chain.verify(deep=True).ok


def test_a_house_with_posts_and_accounts_stands_the_deep_look(cast):
    with scope.system():
        assert chain.verify(deep=True).breaches == []


def test_the_proof_does_not_depend_on_settings_of_the_session(world):
    people(2, date_birth=date(1980, 3, 7), id_number="")
    chain.seal()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TimeZone = 'America/Guatemala'")
        cursor.execute("SET LOCAL DateStyle = 'German'")
        cursor.execute("SET LOCAL bytea_output = 'escape'")
    assert chain.verify().ok


def test_many_blocks_and_rows_over_several_chunks_prove(world):
    for n in (1, 1500, 700):
        people(n)
        chain.seal()
    result = chain.verify()
    assert (result.ok, result.blocks, result.rows) == (True, 3, 2201)


def test_the_command_line_says_ok_and_exits_one_on_a_breach(world, capsys):
    people(2)
    assert run(["audit", "seal", "--json"]) == 0
    head = json.loads(capsys.readouterr().out)["head"]
    assert run(["audit", "verify", "--json", "--head", head]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    execute("DELETE FROM registry_personevent")
    assert run(["audit", "verify", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["breaches"][0]["kind"] == "deleted"


# --- rows that are committed late ------------------------------------------------------------------


@pytest.fixture
def log_elsewhere(transactional_db):
    """A second session that logs a reading and commits when told."""
    Territory.objects.get_or_create(
        code=STREET, defaults={"name": "街道", "level": 4, "parent_code": "420302"}
    )
    info = connection.settings_dict
    other = psycopg.connect(
        host=info["HOST"] or None,
        port=info["PORT"] or None,
        user=info["USER"] or None,
        password=info["PASSWORD"] or None,
        dbname=info["NAME"],
    )
    yield other
    other.close()
    with scope.system():
        execute("DELETE FROM registry_chainblock")


_LOG = (
    "INSERT INTO registry_accesslog (at, person_id, territory_code, fields, purpose, door, actor_name,"
    " request_id, glass) SELECT now(), id, territory_code, '{name}', 'late', 'test', '', '', ''"
    " FROM registry_person"
)


def test_a_row_committed_after_a_higher_key_is_never_lost_by_a_seal(log_elsewhere):
    with scope.system():
        person = people(1)[0]
        log_elsewhere.execute(_LOG)  # draws a key, commits later
        audit.log_read([person], ["name"], "early")  # draws a higher key, is committed now
        held_up = chain.seal(wait_seconds=0.2)
        assert held_up.number is None
        assert held_up.waiting_since is not None
        log_elsewhere.commit()
        sealed = chain.seal()
        assert sealed.rows == 3
        result = chain.verify()
        assert (result.ok, result.unsealed) == (True, 0)


def test_a_seal_waits_for_a_short_transaction_and_takes_its_rows(log_elsewhere):
    with scope.system():
        people(1)
        log_elsewhere.execute(_LOG)
        timer = threading.Timer(0.3, log_elsewhere.commit)
        timer.start()
        sealed = chain.seal(wait_seconds=10)
        timer.join()
        assert sealed.number == 1
        assert chain.seal().number in (None, 2)
        result = chain.verify()
        assert (result.ok, result.rows, result.unsealed) == (True, 2, 0)


def test_a_key_that_was_rolled_back_leaves_a_gap_and_no_breach(log_elsewhere):
    with scope.system():
        person = people(1)[0]
        log_elsewhere.execute(_LOG)
        log_elsewhere.rollback()
        audit.log_read([person], ["name"], "after")
        assert chain.seal().rows == 2
        assert chain.verify().ok


# --- the shredder ----------------------------------------------------------------------------------


def test_shredding_leaves_facts_and_an_entry_and_nothing_that_tells_who_it_was(world):
    home = verbs.register_household(address="汉江路12号", territory_code=STREET, actor=ACTOR)
    told = {"id_number": number(), "phone": "13800001111", "address": "汉江路12号", "household_id": home.pk}
    person = people(1, **told)[0]
    verbs.update_person(person.pk, {"name": "周晓明"}, ACTOR)
    chain.seal()
    assert shredder.remains(person.pk)["identity"] > 0
    record = shredder.shred_person(person.pk, reason="retention over", actor=ACTOR)
    assert all(count == 0 for count in shredder.remains(person.pk).values())
    with connection.cursor() as cursor:
        for table in (
            "registry_person",
            "registry_personevent",
            "registry_household",
            "registry_householdevent",
        ):
            cursor.execute(f"SELECT t::text FROM {table} t")
            text = " ".join(row[0] for row in cursor.fetchall())
            assert text
            for secret in ("周", "zhou", "汉江", "1980-01-01"):
                assert secret not in text
    left = Person.objects.get(id=person.pk)
    assert (left.public_id, left.sex, left.birth_year) == (person.public_id, "M", 1980)
    assert (record.reason, record.actor_name) == ("retention over", "test")


def test_the_chain_stays_provable_through_shredding(world):
    keep, shred = people(2, id_number="")
    chain.seal()
    shredder.shred_person(shred.pk, reason="retention over", actor=ACTOR)
    assert chain.verify(deep=True).ok
    chain.seal()
    assert chain.verify(deep=True).ok
    execute(f"UPDATE registry_personevent SET sex = 'F' WHERE pgh_obj_id = {shred.pk}")
    assert ("altered", "registry_personevent") in kinds()
    assert keep.pk


def test_emptying_history_without_an_entry_is_seen(world):
    person = people(1)[0]
    chain.seal()
    with scope.system(), transaction.atomic():
        shredder.empty_history(Person, [person.pk])
    assert kinds() == [("shredded_without_record", "registry_personevent")]


def test_shredding_reaches_every_joined_record_and_happens_once(world):
    a, b = people(2)
    verbs.merge_people(keep=a.pk, merge=b.pk, reason="same", actor=ACTOR)
    shredder.shred_person(b.pk, reason="retention over", actor=ACTOR)
    assert not Person.objects.exclude(name="").exists()
    assert ShredRecord.objects.count() == 1
    with pytest.raises(Conflict):
        shredder.shred_person(a.pk, reason="again", actor=ACTOR)
    with pytest.raises(Conflict):
        verbs.update_person(a.pk, {"name": "周小明"}, ACTOR)


def test_shredding_needs_a_reason_and_a_household_keeps_its_address_for_who_stays(world):
    home = verbs.register_household(address="汉江路12号", territory_code=STREET, actor=ACTOR)
    goes, _stays = people(2, household_id=home.pk)
    with pytest.raises(Invalid):
        shredder.shred_person(goes.pk, reason="", actor=ACTOR)
    shredder.shred_person(goes.pk, reason="retention over", actor=ACTOR)
    home.refresh_from_db()
    assert home.address == "汉江路12号"


def test_a_person_can_see_what_is_held_and_who_looked(world):
    person = people(1, phone="13800001111")[0]
    audit.log_read([person], ["phone"], "transfer")
    held = shredder.what_is_held(person.pk)
    assert held.public_id == person.public_id
    assert held.held[0].facts[0]["name"] == "周小明"
    assert held.held[0].retention_key
    assert [look.purpose for look in held.looks] == ["transfer"]
