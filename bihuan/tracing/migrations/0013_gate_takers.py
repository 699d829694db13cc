import django.db.models.deletion
from django.db import migrations, models

import bihuan.registry.models.base
from bihuan.registry.rls import enable_rls


class Migration(migrations.Migration):
    """Who took a record at a gate, and who sent it when that was another person."""

    dependencies = [("tracing", "0012_namings")]

    operations = [
        migrations.AddField(
            model_name="gatecheck", name="account_id", field=models.BigIntegerField(null=True)
        ),
        migrations.AddField(model_name="gatecheck", name="post_id", field=models.BigIntegerField(null=True)),
        migrations.CreateModel(
            name="GateHandOver",
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
                ("at", models.DateTimeField()),
                ("taken_account_id", models.BigIntegerField(null=True)),
                ("taken_post_id", models.BigIntegerField(null=True)),
                ("taken_by", models.CharField(blank=True, max_length=240)),
                ("sent_account_id", models.BigIntegerField(null=True)),
                ("sent_post_id", models.BigIntegerField(null=True)),
                ("sent_by", models.CharField(max_length=240)),
                ("records", models.PositiveIntegerField()),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                (
                    "place",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hand_overs",
                        to="tracing.place",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.AddField(
            model_name="gatecheck",
            name="hand_over",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="checks",
                to="tracing.gatehandover",
            ),
        ),
        migrations.AddIndex(
            model_name="gatehandover",
            index=models.Index(fields=["place", "-at"], name="tracing_handover_newest"),
        ),
        enable_rls("tracing_gatehandover"),
    ]
