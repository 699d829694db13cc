import django.db.models.deletion
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import bihuan.care.models
import bihuan.registry.models.base
from bihuan.registry.rls import enable_rls


class Migration(migrations.Migration):
    dependencies = [
        ("care", "0004_home_stage"),
        ("registry", "0005_fewer_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="OwnAccess",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "territory_code",
                    bihuan.registry.models.base.TerritoryCodeField(
                        db_collation="C", db_index=True, max_length=64
                    ),
                ),
                (
                    "public_id",
                    models.CharField(default=bihuan.care.models.own_access_id, max_length=20, unique=True),
                ),
                ("reach", models.CharField(blank=True, max_length=64)),
                ("code_index", models.CharField(max_length=64, unique=True)),
                ("given_at", models.DateTimeField()),
                ("given_by", models.CharField(blank=True, max_length=120)),
                ("given_by_account_id", models.BigIntegerField(null=True)),
                ("given_by_post_id", models.BigIntegerField(null=True)),
                ("until_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "end_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("renewed", "A newer code was given"),
                            ("taken_back", "Taken back"),
                            ("guessed", "Wrong answers too often"),
                        ],
                        max_length=12,
                    ),
                ),
                ("wrong", models.PositiveSmallIntegerField(default=0)),
                ("opened", models.PositiveIntegerField(default=0)),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="registry.person"
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="OwnAccessEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("person", models.BigIntegerField(db_column="person_id", null=True)),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("id", models.BigIntegerField()),
                ("public_id", models.CharField(default=bihuan.care.models.own_access_id, max_length=20)),
                (
                    "territory_code",
                    bihuan.registry.models.base.TerritoryCodeField(db_collation="C", max_length=64),
                ),
                ("reach", models.CharField(blank=True, max_length=64)),
                ("given_at", models.DateTimeField()),
                ("given_by", models.CharField(blank=True, max_length=120)),
                ("given_by_account_id", models.BigIntegerField(null=True)),
                ("given_by_post_id", models.BigIntegerField(null=True)),
                ("until_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "end_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("renewed", "A newer code was given"),
                            ("taken_back", "Taken back"),
                            ("guessed", "Wrong answers too often"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="id_public_id_person_territory_code_reach_given_at_given_by_given_by_account_id_given_by_post_id_until_at_ended_at_end_reason_events",
                        to="care.ownaccess",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddConstraint(
            model_name="ownaccess",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)), fields=("person",), name="care_own_access_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="ownaccess",
            constraint=models.CheckConstraint(
                condition=models.Q(("until_at__gt", models.F("given_at"))), name="care_own_access_forward"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ownaccess",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "care_ownaccessevent" ("end_reason", "ended_at", "given_at", "given_by", "given_by_account_id", "given_by_post_id", "id", "person_id", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "reach", "territory_code", "until_at") SELECT new_values."end_reason", new_values."ended_at", new_values."given_at", new_values."given_by", new_values."given_by_account_id", new_values."given_by_post_id", new_values."id", new_values."person_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'insert\', new_values."id", new_values."public_id", new_values."reach", new_values."territory_code", new_values."until_at" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;',
                    hash="487d49918e44a9d6fb840df72c9c10261afd9002",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_c623f",
                    referencing="REFERENCING NEW TABLE AS new_values ",
                    table="care_ownaccess",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ownaccess",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "care_ownaccessevent" ("end_reason", "ended_at", "given_at", "given_by", "given_by_account_id", "given_by_post_id", "id", "person_id", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "reach", "territory_code", "until_at") SELECT new_values."end_reason", new_values."ended_at", new_values."given_at", new_values."given_by", new_values."given_by_account_id", new_values."given_by_post_id", new_values."id", new_values."person_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'update\', new_values."id", new_values."public_id", new_values."reach", new_values."territory_code", new_values."until_at" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values."end_reason" IS DISTINCT FROM (new_values."end_reason") OR old_values."ended_at" IS DISTINCT FROM (new_values."ended_at") OR old_values."given_at" IS DISTINCT FROM (new_values."given_at") OR old_values."given_by" IS DISTINCT FROM (new_values."given_by") OR old_values."given_by_account_id" IS DISTINCT FROM (new_values."given_by_account_id") OR old_values."given_by_post_id" IS DISTINCT FROM (new_values."given_by_post_id") OR old_values."id" IS DISTINCT FROM (new_values."id") OR old_values."person_id" IS DISTINCT FROM (new_values."person_id") OR old_values."public_id" IS DISTINCT FROM (new_values."public_id") OR old_values."reach" IS DISTINCT FROM (new_values."reach") OR old_values."territory_code" IS DISTINCT FROM (new_values."territory_code") OR old_values."until_at" IS DISTINCT FROM (new_values."until_at")) ) AS new_values, _pgh_attached_context; RETURN NULL;',
                    hash="5e59f6c035e7db9a314b3fb56cd3929f732e4f47",
                    level="STATEMENT",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_ddb24",
                    referencing="REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ",
                    table="care_ownaccess",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ownaccess",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "care_ownaccessevent" ("end_reason", "ended_at", "given_at", "given_by", "given_by_account_id", "given_by_post_id", "id", "person_id", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "reach", "territory_code", "until_at") SELECT old_values."end_reason", old_values."ended_at", old_values."given_at", old_values."given_by", old_values."given_by_account_id", old_values."given_by_post_id", old_values."id", old_values."person_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'delete\', old_values."id", old_values."public_id", old_values."reach", old_values."territory_code", old_values."until_at" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;',
                    hash="f74170374cdcb007a10de9445ed2e3dffd8d20e2",
                    level="STATEMENT",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_cb333",
                    referencing="REFERENCING OLD TABLE AS old_values ",
                    table="care_ownaccess",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ownaccessevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="6bcb4636df83f120683b3ac30d0d381fc2d9d8d5",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_e45a2",
                    table="care_ownaccessevent",
                    when="BEFORE",
                ),
            ),
        ),
        enable_rls("care_ownaccess"),
        enable_rls("care_ownaccessevent"),
    ]
