"""Tables, functions and triggers of the duties that Django does not make: read by the first migration.

Kept as text in one place because a partitioned table, its statement-level triggers and its checks belong
together.
"""

from __future__ import annotations

DUTY_TABLE = """
CREATE SEQUENCE loops_duty_id_seq AS bigint CACHE 100;
CREATE TABLE loops_duty (
    id bigint NOT NULL DEFAULT nextval('loops_duty_id_seq'),
    loop_id bigint NOT NULL,
    owner_post_id bigint NOT NULL,
    person_id bigint,
    opened_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    warn_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_recorded_at timestamptz,
    ended_by_account_id bigint,
    ended_by_post_id bigint,
    ended_event_id bigint,
    binding_id bigint NOT NULL,
    state smallint NOT NULL DEFAULT 0,
    owner_fallback boolean NOT NULL DEFAULT false,
    clock_known boolean NOT NULL DEFAULT true,
    ended_day_only boolean NOT NULL DEFAULT false,
    territory_code varchar(64) COLLATE "C" NOT NULL,
    definition text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    stage text COLLATE "C" NOT NULL,
    reason text NOT NULL DEFAULT '',
    evidence jsonb,
    CONSTRAINT loops_duty_state CHECK (state BETWEEN 0 AND 3),
    CONSTRAINT loops_duty_open_has_no_end CHECK ((state = 0) = (ended_at IS NULL)),
    CONSTRAINT loops_duty_waived_has_reason CHECK (state <> 2 OR reason <> '')
) PARTITION BY RANGE (due_at);
ALTER SEQUENCE loops_duty_id_seq OWNED BY loops_duty.id;
CREATE TABLE loops_duty_other PARTITION OF loops_duty DEFAULT;
CREATE UNIQUE INDEX loops_duty_once ON loops_duty (loop_id, key, due_at);
CREATE INDEX loops_duty_id ON loops_duty (id);
CREATE INDEX loops_duty_owner ON loops_duty (owner_post_id, due_at) WHERE state = 0;
CREATE INDEX loops_duty_place ON loops_duty (territory_code, due_at) WHERE state = 0;
CREATE INDEX loops_duty_due ON loops_duty (due_at) WHERE state = 0;
"""

DROP_DUTY_TABLE = "DROP TABLE loops_duty"

PARTITIONS = """
-- The partition of a month, made if it is missing. Runs as the owner of the tables, as a door may need one.
-- Gives up (false) rather than wait: rows then go to the default partition, and the sweep moves them later.
CREATE FUNCTION loops_ensure_month(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    month date := date_trunc('month', day)::date;
    name text := 'loops_duty_' || to_char(month, 'YYYYMM');
    lo timestamptz := month::timestamp AT TIME ZONE 'UTC';
    hi timestamptz := (month + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(name) IS NOT NULL THEN RETURN true; END IF;
    IF NOT pg_try_advisory_xact_lock(hashtext('loops_ensure_month')) THEN RETURN false; END IF;
    -- Nobody may be routing rows while the partition appears: they would land in the default one and be refused.
    LOCK TABLE loops_duty IN SHARE ROW EXCLUSIVE MODE;
    IF to_regclass(name) IS NOT NULL THEN RETURN true; END IF;  -- only now do we see what others have made
    EXECUTE format('CREATE TABLE %I (LIKE loops_duty INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT in_month CHECK (due_at >= %L AND due_at < %L)',
        name, lo, hi);
    EXECUTE format('WITH moved AS (DELETE FROM loops_duty_other WHERE due_at >= %L AND due_at < %L'
        ' RETURNING *) INSERT INTO %I SELECT * FROM moved', lo, hi, name);
    EXECUTE format('ALTER TABLE loops_duty ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, lo, hi);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT in_month', name);
    RETURN true;
EXCEPTION WHEN lock_not_available OR deadlock_detected OR duplicate_table THEN
    RETURN false;
END $$;
"""

DROP_PARTITIONS = "DROP FUNCTION loops_ensure_month(date)"

_BUCKET = (
    "date_bin(interval '15 minutes', due_at + interval '899.999999 seconds',"
    " timestamptz '2000-01-01 00:00:00+00')"
)
_LEAD = "(date_part('epoch', due_at - warn_at) / 60)::int"
_KEY = f"{_BUCKET}, left(territory_code, 9), definition, kind, stage, {_LEAD}"


def _counted(rows: str, sign: str) -> str:
    return f"SELECT {_KEY}, state, {sign}count(*) FROM {rows} GROUP BY 1, 2, 3, 4, 5, 6, 7"


def _created(rows: str, sign: str) -> str:
    return f"SELECT {_KEY}, -1, {sign}count(*) FROM {rows} GROUP BY 1, 2, 3, 4, 5, 6"


_DELTA = "INSERT INTO loops_tallydelta (bucket, territory_code, definition, kind, stage, lead, state, n)"

TALLIES = f"""
CREATE FUNCTION loops_duty_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_DELTA}
    WITH counted AS ({_counted("new_rows", "")}),
    made AS (SELECT date_bin, "left", definition, kind, stage, "int4", -1, sum(count) FROM counted
             GROUP BY 1, 2, 3, 4, 5, 6)
    SELECT * FROM counted UNION ALL SELECT * FROM made;
    RETURN NULL;
END $$;
CREATE TRIGGER loops_duty_inserted AFTER INSERT ON loops_duty
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION loops_duty_inserted();

CREATE FUNCTION loops_duty_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_DELTA} {_counted("old_rows", "-")};
    RETURN NULL;
END $$;
CREATE TRIGGER loops_duty_deleted AFTER DELETE ON loops_duty
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION loops_duty_deleted();

CREATE FUNCTION loops_duty_updated() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken bigint;
BEGIN
    {_DELTA} SELECT * FROM (
        SELECT b, t, d, k, s, l, st, sum(n) AS n FROM (
            {_counted("new_rows", "")} UNION ALL {_counted("old_rows", "-")}
            UNION ALL {_created("new_rows", "")} UNION ALL {_created("old_rows", "-")}
        ) AS both_sides (b, t, d, k, s, l, st, n) GROUP BY 1, 2, 3, 4, 5, 6, 7
    ) AS net WHERE n <> 0;
    INSERT INTO loops_dutyhistory (duty_id, changed_at, account_id, post_id, actor, old_state, new_state,
        old_owner_post_id, new_owner_post_id, old_due_at, new_due_at, old_ended_at, new_ended_at, reason,
        evidence, territory_code)
    SELECT n.id, statement_timestamp(), nullif(current_setting('bihuan.account', true), '')::bigint,
        nullif(current_setting('bihuan.post', true), '')::bigint,
        coalesce(current_setting('bihuan.actor', true), ''), o.state, n.state,
        o.owner_post_id, n.owner_post_id, o.due_at, n.due_at, o.ended_at, n.ended_at, n.reason,
        n.evidence, n.territory_code
    FROM new_rows n JOIN old_rows o USING (id);
    SELECT l.id INTO broken FROM (
        SELECT DISTINCT n.loop_id FROM new_rows n JOIN old_rows o USING (id) WHERE n.state <> 0 AND o.state
        = 0
    ) AS touched JOIN loops_loop l ON l.id = touched.loop_id
    WHERE l.state = 0 AND NOT EXISTS (SELECT FROM loops_duty d WHERE d.loop_id = l.id AND d.state = 0) LIMIT
    1;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'loop % is open and would owe nothing', broken USING ERRCODE =
        'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER loops_duty_updated AFTER UPDATE ON loops_duty
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION loops_duty_updated();

CREATE FUNCTION loops_loop_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM loops_loop WHERE id = NEW.id AND state = 1)
       AND EXISTS (SELECT FROM loops_duty WHERE loop_id = NEW.id AND state = 0) THEN
        RAISE EXCEPTION 'loop % is closed and still owes something', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER loops_loop_closed AFTER INSERT OR UPDATE OF state ON loops_loop
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 1) EXECUTE FUNCTION loops_loop_closed();
"""

DROP_TALLIES = """
DROP TRIGGER loops_loop_closed ON loops_loop; DROP FUNCTION loops_loop_closed();
DROP FUNCTION loops_duty_updated() CASCADE; DROP FUNCTION loops_duty_deleted() CASCADE;
DROP FUNCTION loops_duty_inserted() CASCADE;
"""

# Later (0003): one grouping instead of two; and the changes, which are only ever appended, added up and taken
# away all together, need no index over their numbers.
TALLY_INSERTED = f"""
CREATE OR REPLACE FUNCTION loops_duty_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_DELTA}
    SELECT bucket, place, definition, kind, stage, lead, counted.state, n
    FROM (SELECT {_KEY}, state, count(*) FROM new_rows GROUP BY 1, 2, 3, 4, 5, 6, 7)
        AS made (bucket, place, definition, kind, stage, lead, is_now, n),
        LATERAL (VALUES (is_now), (-1::smallint)) AS counted (state);
    RETURN NULL;
END $$;
ALTER TABLE loops_tallydelta DROP CONSTRAINT loops_tallydelta_pkey;
"""

OLD_TALLY_INSERTED = f"""
CREATE OR REPLACE FUNCTION loops_duty_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_DELTA}
    WITH counted AS ({_counted("new_rows", "")}),
    made AS (SELECT date_bin, "left", definition, kind, stage, "int4", -1, sum(count) FROM counted
             GROUP BY 1, 2, 3, 4, 5, 6)
    SELECT * FROM counted UNION ALL SELECT * FROM made;
    RETURN NULL;
END $$;
ALTER TABLE loops_tallydelta ADD PRIMARY KEY (id);
"""
