import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

#: Places closed before this was kept: since the first version in the history that is closed and that none that
#: is open follows; without a history since now, so that nothing a device keeps is refused for it.
CLOSED_AT = """
    UPDATE tracing_place p SET closed_at = COALESCE((
        SELECT min(h.pgh_created_at) FROM tracing_placeevent h
        WHERE h.pgh_obj_id = p.id AND NOT h.active AND h.pgh_id > COALESCE((
            SELECT max(o.pgh_id) FROM tracing_placeevent o WHERE o.pgh_obj_id = p.id AND o.active
        ), 0)
    ), now())
    WHERE NOT p.active AND p.closed_at IS NULL
"""


class Migration(migrations.Migration):
    """Since when a place is closed: what its gate recorded before, and sends later, is taken."""

    dependencies = [
        ("tracing", "0013_gate_takers"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="place",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="place",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="place",
            name="delete_delete",
        ),
        migrations.AddField(
            model_name="place",
            name="closed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="placeevent",
            name="closed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="placeevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="id_public_id_territory_code_store_id_name_name_en_kind_address_capacity_active_closed_at_events",
                to="tracing.place",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="place",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "tracing_placeevent" ("active", "address", "capacity", "closed_at", "id", "kind", "name", "name_en", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "store_id", "territory_code") SELECT new_values."active", new_values."address", new_values."capacity", new_values."closed_at", new_values."id", new_values."kind", new_values."name", new_values."name_en", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'insert\', new_values."id", new_values."public_id", new_values."store_id", new_values."territory_code" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;',
                    hash="28a4b21e5f4c29699e75d3c87af8a40811437492",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_2a9ea",
                    referencing="REFERENCING NEW TABLE AS new_values ",
                    table="tracing_place",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="place",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "tracing_placeevent" ("active", "address", "capacity", "closed_at", "id", "kind", "name", "name_en", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "store_id", "territory_code") SELECT new_values."active", new_values."address", new_values."capacity", new_values."closed_at", new_values."id", new_values."kind", new_values."name", new_values."name_en", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'update\', new_values."id", new_values."public_id", new_values."store_id", new_values."territory_code" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values."active" IS DISTINCT FROM (new_values."active") OR old_values."address" IS DISTINCT FROM (new_values."address") OR old_values."capacity" IS DISTINCT FROM (new_values."capacity") OR old_values."closed_at" IS DISTINCT FROM (new_values."closed_at") OR old_values."id" IS DISTINCT FROM (new_values."id") OR old_values."kind" IS DISTINCT FROM (new_values."kind") OR old_values."name" IS DISTINCT FROM (new_values."name") OR old_values."name_en" IS DISTINCT FROM (new_values."name_en") OR old_values."public_id" IS DISTINCT FROM (new_values."public_id") OR old_values."store_id" IS DISTINCT FROM (new_values."store_id") OR old_values."territory_code" IS DISTINCT FROM (new_values."territory_code")) ) AS new_values, _pgh_attached_context; RETURN NULL;',
                    hash="c7502e1a6d17d81b92cfeff201fbbfb611d889f4",
                    level="STATEMENT",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_96c62",
                    referencing="REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ",
                    table="tracing_place",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="place",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "tracing_placeevent" ("active", "address", "capacity", "closed_at", "id", "kind", "name", "name_en", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "store_id", "territory_code") SELECT old_values."active", old_values."address", old_values."capacity", old_values."closed_at", old_values."id", old_values."kind", old_values."name", old_values."name_en", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'delete\', old_values."id", old_values."public_id", old_values."store_id", old_values."territory_code" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;',
                    hash="51ead91bf9ab09a8a96a51ce30e133990b234f7c",
                    level="STATEMENT",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_81198",
                    referencing="REFERENCING OLD TABLE AS old_values ",
                    table="tracing_place",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunSQL(CLOSED_AT, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="place",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("active", True), ("closed_at__isnull", True)),
                    models.Q(("active", False), ("closed_at__isnull", False)),
                    _connector="OR",
                ),
                name="tracing_place_closed_since",
            ),
        ),
    ]
