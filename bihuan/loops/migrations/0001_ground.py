import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import bihuan.loops.models.loop
import bihuan.registry.models.base
from bihuan.loops.migrations import _sql as sql
from bihuan.registry.rls import enable_rls


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("registry", "0001_ground"),
    ]

    operations = [
        migrations.CreateModel(
            name="Binding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("definition", models.CharField(max_length=60)),
                ("policy_id", models.CharField(max_length=400)),
                ("body", models.JSONField()),
            ],
        ),
        migrations.CreateModel(
            name="DutyHistory",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("duty_id", models.BigIntegerField(db_index=True)),
                ("changed_at", models.DateTimeField()),
                ("account_id", models.BigIntegerField(null=True)),
                ("post_id", models.BigIntegerField(null=True)),
                ("actor", models.CharField(blank=True, max_length=120)),
                ("old_state", models.SmallIntegerField()),
                ("new_state", models.SmallIntegerField()),
                ("old_owner_post_id", models.BigIntegerField()),
                ("new_owner_post_id", models.BigIntegerField()),
                ("old_due_at", models.DateTimeField()),
                ("new_due_at", models.DateTimeField()),
                ("old_ended_at", models.DateTimeField(null=True)),
                ("new_ended_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("evidence", models.JSONField(null=True)),
                (
                    "territory_code",
                    bihuan.registry.models.base.TerritoryCodeField(db_collation="C", max_length=64),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Escalation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("duty_id", models.BigIntegerField()),
                ("due_at", models.DateTimeField()),
                ("step", models.SmallIntegerField()),
                ("target", models.CharField(max_length=30)),
                ("to_post_id", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                (
                    "territory_code",
                    bihuan.registry.models.base.TerritoryCodeField(db_collation="C", max_length=64),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="LogEvent",
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
                ("kind", models.CharField(max_length=60)),
                ("at", models.DateTimeField()),
                ("at_precision", models.CharField(default="minute", max_length=6)),
                ("recorded_at", models.DateTimeField()),
                ("data", models.JSONField(default=dict)),
                ("account_id", models.BigIntegerField(null=True)),
                ("post_id", models.BigIntegerField(null=True)),
                ("actor", models.CharField(blank=True, max_length=120)),
                ("door", models.CharField(blank=True, max_length=20)),
                ("source", models.CharField(blank=True, max_length=120)),
                ("idempotency_key", models.CharField(max_length=160, null=True, unique=True)),
            ],
            options={
                "db_table": "loops_event",
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Loop",
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
                    models.CharField(default=bihuan.loops.models.loop.loop_id, max_length=20, unique=True),
                ),
                ("subject_kind", models.CharField(max_length=30)),
                ("subject_ref", models.CharField(max_length=40)),
                ("person_id", models.BigIntegerField(null=True)),
                ("definition", models.CharField(max_length=60)),
                ("group", models.CharField(max_length=20)),
                ("tz", models.CharField(max_length=40)),
                ("state", models.SmallIntegerField(choices=[(0, "Open"), (1, "Closed")], default=0)),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                ("outcome", models.CharField(blank=True, max_length=60)),
                ("openings", models.SmallIntegerField(default=1)),
                ("waits", models.BooleanField(default=False)),
                ("passed_to", models.DateTimeField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Schedule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("definition", models.CharField(max_length=60)),
                ("kind", models.CharField(max_length=60)),
                ("run", models.SmallIntegerField()),
                ("stage", models.CharField(max_length=60)),
                ("tz", models.CharField(max_length=40)),
                ("from_at", models.DateTimeField()),
                ("last_day", models.DateField()),
                ("next_day", models.DateField()),
                ("next_open_at", models.DateTimeField()),
                ("until_at", models.DateTimeField(null=True)),
                (
                    "slots",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SmallIntegerField(), size=None
                    ),
                ),
                ("warn_lead", models.DurationField()),
                ("owner_post_id", models.BigIntegerField()),
                ("owner_fallback", models.BooleanField(default=False)),
                ("person_id", models.BigIntegerField(null=True)),
                (
                    "territory_code",
                    bihuan.registry.models.base.TerritoryCodeField(db_collation="C", max_length=64),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Subject",
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
                ("kind", models.CharField(max_length=30)),
                ("ref", models.CharField(max_length=40)),
                ("person_id", models.BigIntegerField(null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Tally",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("bucket", models.DateTimeField()),
                ("definition", models.CharField(max_length=60)),
                ("kind", models.CharField(max_length=60)),
                ("stage", models.CharField(max_length=60)),
                ("lead", models.IntegerField()),
                ("state", models.SmallIntegerField()),
                ("n", models.BigIntegerField()),
                (
                    "territory_code",
                    bihuan.registry.models.base.TerritoryCodeField(db_collation="C", max_length=64),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="TallyDelta",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("bucket", models.DateTimeField()),
                ("definition", models.CharField(max_length=60)),
                ("kind", models.CharField(max_length=60)),
                ("stage", models.CharField(max_length=60)),
                ("lead", models.IntegerField()),
                ("state", models.SmallIntegerField()),
                ("n", models.BigIntegerField()),
                (
                    "territory_code",
                    bihuan.registry.models.base.TerritoryCodeField(db_collation="C", max_length=64),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="dutyhistory",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="c7e86dc1933b107282f2ac1cb55dcd7ca38caa49",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_31e44",
                    table="loops_dutyhistory",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="escalation",
            index=models.Index(fields=["to_post_id", "at"], name="loops_escalation_to"),
        ),
        migrations.AddConstraint(
            model_name="escalation",
            constraint=models.UniqueConstraint(
                fields=("duty_id", "step", "at"), name="loops_escalation_once"
            ),
        ),
        migrations.AddField(
            model_name="loop",
            name="binding",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="loops",
                to="loops.binding",
            ),
        ),
        migrations.AddField(
            model_name="loop",
            name="handed_to",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="handed_from",
                to="loops.loop",
            ),
        ),
        migrations.AddField(
            model_name="loop",
            name="ruling",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="loops.binding",
            ),
        ),
        migrations.AddField(
            model_name="schedule",
            name="binding",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="loops.binding",
            ),
        ),
        migrations.AddField(
            model_name="schedule",
            name="loop",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="schedules",
                to="loops.loop",
            ),
        ),
        migrations.AddConstraint(
            model_name="subject",
            constraint=models.UniqueConstraint(fields=("kind", "ref"), name="loops_subject_once"),
        ),
        migrations.AddField(
            model_name="loop",
            name="subject",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="loops",
                to="loops.subject",
            ),
        ),
        migrations.AddField(
            model_name="logevent",
            name="subject",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="loops.subject",
            ),
        ),
        migrations.AddConstraint(
            model_name="tally",
            constraint=models.UniqueConstraint(
                fields=("territory_code", "definition", "kind", "stage", "state", "bucket", "lead"),
                name="loops_tally_once",
            ),
        ),
        migrations.AddIndex(
            model_name="schedule",
            index=models.Index(
                condition=models.Q(("next_day__lte", models.F("last_day")), ("until_at__isnull", True)),
                fields=["next_open_at"],
                name="loops_schedule_next",
            ),
        ),
        migrations.AddConstraint(
            model_name="schedule",
            constraint=models.UniqueConstraint(fields=("loop", "kind", "run"), name="loops_schedule_once"),
        ),
        migrations.AddIndex(
            model_name="loop",
            index=models.Index(fields=["subject_kind", "subject_ref"], name="loops_loop_subject"),
        ),
        migrations.AddIndex(
            model_name="loop",
            index=models.Index(
                condition=models.Q(("state", 0)),
                fields=["definition", "territory_code"],
                name="loops_loop_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="loop",
            constraint=models.UniqueConstraint(fields=("subject", "definition"), name="loops_loop_once"),
        ),
        migrations.AddConstraint(
            model_name="loop",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("state", 0)),
                    models.Q(("closed_at__isnull", False), ("state", 1)),
                    _connector="OR",
                ),
                name="loops_loop_closed_has_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="logevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("at_precision__in", ["minute", "day"])), name="loops_event_precision"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="logevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="fbf58941b48baac648f8daf8aee1217bf4e05914",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_e32c8",
                    table="loops_event",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    sql=sql.DUTY_TABLE,
                    reverse_sql=sql.DROP_DUTY_TABLE,
                ),
            ],
            state_operations=[
                migrations.CreateModel(
                    name="Duty",
                    fields=[
                        (
                            "territory_code",
                            bihuan.registry.models.base.TerritoryCodeField(
                                db_collation="C", db_index=True, max_length=64
                            ),
                        ),
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("definition", models.CharField(max_length=60)),
                        ("kind", models.CharField(max_length=60)),
                        ("key", models.CharField(max_length=100)),
                        ("stage", models.CharField(max_length=60)),
                        ("owner_post_id", models.BigIntegerField()),
                        ("owner_fallback", models.BooleanField(default=False)),
                        ("person_id", models.BigIntegerField(null=True)),
                        ("opened_at", models.DateTimeField()),
                        ("due_at", models.DateTimeField()),
                        ("warn_at", models.DateTimeField()),
                        ("clock_known", models.BooleanField(default=True)),
                        ("recorded_at", models.DateTimeField()),
                        ("state", models.SmallIntegerField(default=0)),
                        ("ended_at", models.DateTimeField(null=True)),
                        ("ended_day_only", models.BooleanField(default=False)),
                        ("ended_recorded_at", models.DateTimeField(null=True)),
                        ("ended_by_account_id", models.BigIntegerField(null=True)),
                        ("ended_by_post_id", models.BigIntegerField(null=True)),
                        ("ended_event_id", models.BigIntegerField(null=True)),
                        ("reason", models.CharField(blank=True, max_length=300)),
                        ("evidence", models.JSONField(null=True)),
                        (
                            "binding",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="loops.binding",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "loops_duty",
                        "abstract": False,
                    },
                ),
                migrations.AddField(
                    model_name="duty",
                    name="loop",
                    field=models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="duties",
                        to="loops.loop",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(
            sql=sql.PARTITIONS,
            reverse_sql=sql.DROP_PARTITIONS,
        ),
        migrations.RunSQL(
            sql=sql.TALLIES,
            reverse_sql=sql.DROP_TALLIES,
        ),
        enable_rls("loops_subject"),
        enable_rls("loops_event"),
        enable_rls("loops_loop"),
        enable_rls("loops_duty"),
        enable_rls("loops_dutyhistory"),
        enable_rls("loops_schedule"),
        enable_rls("loops_escalation"),
        enable_rls("loops_tally"),
        enable_rls("loops_tallydelta"),
    ]
