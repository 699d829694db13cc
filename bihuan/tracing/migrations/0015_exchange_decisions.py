import django.contrib.postgres.fields
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import bihuan.cases.models


class Migration(migrations.Migration):
    """Decisions about the exchange; when open requests are next compared with another installation."""

    dependencies = [
        ("tracing", "0014_place_closed"),
    ]

    operations = [
        migrations.CreateModel(
            name="ExchangeDecision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("named", "This installation was named"),
                            ("changed", "Its card was changed"),
                            ("key_changed", "Its key was changed"),
                            ("key_dropped", "Its old keys were destroyed"),
                            ("trusted", "Trusted"),
                            ("revoked", "Suspended"),
                            ("peer_key", "It changed its key"),
                        ],
                        max_length=12,
                    ),
                ),
                ("is_own", models.BooleanField()),
                ("installation", bihuan.cases.models.WordField(max_length=12)),
                ("name", models.CharField(max_length=120)),
                ("fingerprint", models.CharField(max_length=39)),
                ("url", models.CharField(max_length=300)),
                (
                    "serves",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), size=None
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("by_account_id", models.BigIntegerField(null=True)),
                ("by_post_id", models.BigIntegerField(null=True)),
                ("by_name", models.CharField(max_length=120)),
                ("door", models.CharField(max_length=20)),
            ],
        ),
        migrations.AddField(
            model_name="peer",
            name="compare_after",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="peer",
            name="compare_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="peer",
            name="compare_error",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="peer",
            name="compared_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exchangedecision",
            trigger=pgtrigger.compiler.Trigger(
                name="decisions_stay",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="002b8c39bc2fca8d95eb87eb134151041e75d80b",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_decisions_stay_97aa6",
                    table="tracing_exchangedecision",
                    when="BEFORE",
                ),
            ),
        ),
    ]
