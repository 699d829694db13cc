import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import bihuan.cases.models
import bihuan.registry.models.base
from bihuan.registry.rls import enable_rls

#: What records told themselves before a further exposure moved what decides: the first version in the history.
OWN_LAST = """
    UPDATE tracing_contact c SET own_last = h.exposure_last
    FROM (
        SELECT DISTINCT ON (pgh_obj_id) pgh_obj_id, exposure_last FROM tracing_contactevent
        WHERE pgh_obj_id IN (SELECT contact_id FROM tracing_exposure)
        ORDER BY pgh_obj_id, pgh_id
    ) h
    WHERE c.id = h.pgh_obj_id AND h.exposure_last IS DISTINCT FROM c.exposure_last
"""


class Migration(migrations.Migration):
    """Each naming of a contact is kept for itself, and can end for itself."""

    dependencies = [("cases", "0003_plain_codes"), ("tracing", "0011_handed_over")]

    operations = [
        migrations.AddField(
            model_name="contact", name="own_last", field=models.DateField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="exposure",
            name="criterion",
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AddField(
            model_name="exposure",
            name="source_key",
            field=bihuan.cases.models.WordField(
                blank=True, db_collation="C", max_length=120, null=True, unique=True
            ),
        ),
        migrations.AlterField(
            model_name="exposure", name="last", field=models.DateField(blank=True, null=True)
        ),
        migrations.CreateModel(
            name="NamingEnd",
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
                    "why",
                    models.CharField(
                        choices=[
                            ("source_excluded", "The source case was excluded"),
                            ("withdrawn", "Named in error"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("exposure_last", models.DateField(blank=True, null=True)),
                ("last_day", models.DateField(blank=True, null=True)),
                ("recorded_at", models.DateTimeField()),
                ("by_account_id", models.BigIntegerField(null=True)),
                ("by_post_id", models.BigIntegerField(null=True)),
                ("by_name", models.CharField(max_length=120)),
                (
                    "case",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="cases.case",
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ended_namings",
                        to="tracing.contact",
                    ),
                ),
                (
                    "exposure",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="end",
                        to="tracing.exposure",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("exposure__isnull", True)),
                        fields=("contact",),
                        name="tracing_own_naming_ends_once",
                    )
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="namingend",
            trigger=pgtrigger.compiler.Trigger(
                name="endings_stay",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="b481ec37671802c5fb8dfb87aece689f4b6a29e3",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_endings_stay_d9588",
                    table="tracing_namingend",
                    when="BEFORE",
                ),
            ),
        ),
        enable_rls("tracing_namingend"),
        migrations.RunSQL(OWN_LAST, migrations.RunSQL.noop),
    ]
