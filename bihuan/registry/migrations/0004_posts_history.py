import django.db.models.deletion
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import bihuan.registry.models.base
import bihuan.registry.models.organization


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0003_people_clock_outbox_audit"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="assignmentevent",
            name="account",
        ),
        migrations.RemoveField(
            model_name="assignmentevent",
            name="delegated_from",
        ),
        migrations.RemoveField(
            model_name="assignmentevent",
            name="pgh_context",
        ),
        migrations.RemoveField(
            model_name="assignmentevent",
            name="pgh_obj",
        ),
        migrations.RemoveField(
            model_name="assignmentevent",
            name="post",
        ),
        migrations.RemoveField(
            model_name="postevent",
            name="organization",
        ),
        migrations.RemoveField(
            model_name="postevent",
            name="pgh_context",
        ),
        migrations.RemoveField(
            model_name="postevent",
            name="pgh_obj",
        ),
        migrations.RemoveField(
            model_name="postevent",
            name="role",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="assignment",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="assignment",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="post",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="post",
            name="update_update",
        ),
        migrations.AlterField(
            model_name="post",
            name="function",
            field=models.CharField(
                choices=[
                    ("command", "Command"),
                    ("cdc_report_review", "Report review"),
                    ("cdc_investigation", "Case investigation"),
                    ("clinic_report", "Case reporting"),
                    ("hospital_admission", "Admission"),
                    ("transfer_team", "Transfer"),
                    ("street_quarantine", "Quarantine of the street"),
                    ("community_follow_up", "Community follow-up"),
                    ("grid_worker", "Grid work"),
                    ("sampling", "Sampling"),
                    ("hospital_follow_up", "Follow-up after discharge"),
                    ("inspector", "Inspection"),
                    ("administration", "Administration"),
                    ("exchange", "Data exchange"),
                ],
                max_length=40,
            ),
        ),
        migrations.DeleteModel(
            name="AssignmentEvent",
        ),
        migrations.DeleteModel(
            name="PostEvent",
        ),
        migrations.CreateModel(
            name="AssignmentEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("post", models.BigIntegerField(db_column="post_id", null=True)),
                ("account", models.BigIntegerField(db_column="account_id", null=True)),
                ("delegated_from", models.BigIntegerField(db_column="delegated_from_id", null=True)),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("id", models.BigIntegerField()),
                ("from_at", models.DateTimeField()),
                ("to_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PostEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("organization", models.BigIntegerField(db_column="organization_id", null=True)),
                ("role", models.CharField(db_column="role_id", max_length=64, null=True)),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("id", models.BigIntegerField()),
                (
                    "public_id",
                    models.CharField(default=bihuan.registry.models.organization.post_id, max_length=20),
                ),
                ("title", models.CharField(max_length=120)),
                ("title_en", models.CharField(blank=True, max_length=160)),
                (
                    "function",
                    models.CharField(
                        choices=[
                            ("command", "Command"),
                            ("cdc_report_review", "Report review"),
                            ("cdc_investigation", "Case investigation"),
                            ("clinic_report", "Case reporting"),
                            ("hospital_admission", "Admission"),
                            ("transfer_team", "Transfer"),
                            ("street_quarantine", "Quarantine of the street"),
                            ("community_follow_up", "Community follow-up"),
                            ("grid_worker", "Grid work"),
                            ("sampling", "Sampling"),
                            ("hospital_follow_up", "Follow-up after discharge"),
                            ("inspector", "Inspection"),
                            ("administration", "Administration"),
                            ("exchange", "Data exchange"),
                        ],
                        max_length=40,
                    ),
                ),
                (
                    "territory_code",
                    bihuan.registry.models.base.TerritoryCodeField(db_collation="C", max_length=64),
                ),
                ("active_from", models.DateTimeField(blank=True, null=True)),
                ("active_to", models.DateTimeField(blank=True, null=True)),
                ("duty_hours", models.JSONField(blank=True, default=dict)),
            ],
            options={
                "abstract": False,
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="assignment",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "registry_assignmentevent" ("account_id", "delegated_from_id", "from_at", "id", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "post_id", "reason", "to_at") SELECT new_values."account_id", new_values."delegated_from_id", new_values."from_at", new_values."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'insert\', new_values."id", new_values."post_id", new_values."reason", new_values."to_at" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;',
                    hash="21119ee80d0637433164c5e5a41a54995c4ac12c",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_9ddd6",
                    referencing="REFERENCING NEW TABLE AS new_values ",
                    table="registry_assignment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="assignment",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "registry_assignmentevent" ("account_id", "delegated_from_id", "from_at", "id", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "post_id", "reason", "to_at") SELECT new_values."account_id", new_values."delegated_from_id", new_values."from_at", new_values."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'update\', new_values."id", new_values."post_id", new_values."reason", new_values."to_at" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS new_values, _pgh_attached_context; RETURN NULL;',
                    hash="70ca2fd0b377a19532877403846e9d8bfd73e6a5",
                    level="STATEMENT",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_71174",
                    referencing="REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ",
                    table="registry_assignment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="assignment",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "registry_assignmentevent" ("account_id", "delegated_from_id", "from_at", "id", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "post_id", "reason", "to_at") SELECT old_values."account_id", old_values."delegated_from_id", old_values."from_at", old_values."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'delete\', old_values."id", old_values."post_id", old_values."reason", old_values."to_at" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;',
                    hash="12671135938a17dce726abe029c26fe7ac8d3488",
                    level="STATEMENT",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_cc312",
                    referencing="REFERENCING OLD TABLE AS old_values ",
                    table="registry_assignment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="post",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "registry_postevent" ("active_from", "active_to", "duty_hours", "function", "id", "organization_id", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "role_id", "territory_code", "title", "title_en") SELECT new_values."active_from", new_values."active_to", new_values."duty_hours", new_values."function", new_values."id", new_values."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'insert\', new_values."id", new_values."public_id", new_values."role_id", new_values."territory_code", new_values."title", new_values."title_en" FROM ( SELECT new_values.* FROM new_values  ) AS new_values, _pgh_attached_context; RETURN NULL;',
                    hash="bb093a1c992b3d0a4d00b6b1f3e7d3b6bff612c0",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_3bec3",
                    referencing="REFERENCING NEW TABLE AS new_values ",
                    table="registry_post",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="post",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "registry_postevent" ("active_from", "active_to", "duty_hours", "function", "id", "organization_id", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "role_id", "territory_code", "title", "title_en") SELECT new_values."active_from", new_values."active_to", new_values."duty_hours", new_values."function", new_values."id", new_values."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'update\', new_values."id", new_values."public_id", new_values."role_id", new_values."territory_code", new_values."title", new_values."title_en" FROM ( SELECT new_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS new_values, _pgh_attached_context; RETURN NULL;',
                    hash="e4ea51ba53bec1327b8c10da4791d144cef7e970",
                    level="STATEMENT",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_0ea53",
                    referencing="REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ",
                    table="registry_post",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="post",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "registry_postevent" ("active_from", "active_to", "duty_hours", "function", "id", "organization_id", "pgh_context", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "role_id", "territory_code", "title", "title_en") SELECT old_values."active_from", old_values."active_to", old_values."duty_hours", old_values."function", old_values."id", old_values."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, NOW(), \'delete\', old_values."id", old_values."public_id", old_values."role_id", old_values."territory_code", old_values."title", old_values."title_en" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;',
                    hash="a1e4e2a6f67cc82598add82a8a05f784ac1aa055",
                    level="STATEMENT",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_c798a",
                    referencing="REFERENCING OLD TABLE AS old_values ",
                    table="registry_post",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="assignmentevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="id_post_account_from_at_to_at_delegated_from_reason_events",
                to="registry.assignment",
            ),
        ),
        migrations.AddField(
            model_name="postevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="id_public_id_organization_title_title_en_function_territory_code_role_active_from_active_to_duty_hours_events",
                to="registry.post",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="assignmentevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="a0a51150eea2536e593517ee99012d50f2314f32",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_8178d",
                    table="registry_assignmentevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="postevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="8b17836b1bed7d44267520070ea18b3779572e43",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_254fd",
                    table="registry_postevent",
                    when="BEFORE",
                ),
            ),
        ),
    ]
