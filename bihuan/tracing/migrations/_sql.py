"""Functions of the database through which keyed numbers are asked about.

They run as the owner of the tables. A caller of the door's role gets no more than row-level security would let it
see, whatever bounds it names; of people elsewhere it learns the county.
"""

_FENCE = """(CASE WHEN current_setting('role') = 'bihuan_door'
        THEN {code} >= current_setting('bihuan.lo', true) COLLATE "C"
            AND {code} < current_setting('bihuan.hi', true) COLLATE "C"
        ELSE true END AND {code} >= lo COLLATE "C" AND {code} < hi COLLATE "C")"""

PSEUDONYMS = f"""
CREATE FUNCTION tracing_persons_of(keys bigint[], lo text, hi text)
RETURNS TABLE (key bigint, person_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT ON (t.key) t.key, r.id
    FROM tracing_pseudonym t
    JOIN registry_person p ON p.id = t.person_id
    JOIN registry_person r ON r.id = p.root_id
    WHERE t.key = ANY (keys) AND {_FENCE.format(code="r.territory_code")}
    ORDER BY t.key, r.id
$$;
CREATE FUNCTION tracing_keys_of(persons bigint[], lo text, hi text)
RETURNS TABLE (person_id bigint, key bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT r.id, t.key
    FROM registry_person r
    JOIN registry_person p ON p.root_id = r.id
    JOIN tracing_pseudonym t ON t.person_id = p.id
    WHERE r.id IN (SELECT q.root_id FROM registry_person q WHERE q.id = ANY (persons))
        AND {_FENCE.format(code="r.territory_code")}
$$;
CREATE FUNCTION tracing_counties_of(keys bigint[], lo text, hi text)
RETURNS TABLE (key bigint, county text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT ON (t.key) t.key, left(r.territory_code, 6)
    FROM tracing_pseudonym t
    JOIN registry_person p ON p.id = t.person_id
    JOIN registry_person r ON r.id = p.root_id
    WHERE t.key = ANY (keys)
    ORDER BY t.key, r.id
$$;
"""

DROP_PSEUDONYMS = """
DROP FUNCTION tracing_persons_of(bigint[], text, text);
DROP FUNCTION tracing_keys_of(bigint[], text, text);
DROP FUNCTION tracing_counties_of(bigint[], text, text);
"""
