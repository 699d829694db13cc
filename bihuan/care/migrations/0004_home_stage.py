from django.db import migrations, models

HOME_KINDS = [("monitoring", "Health monitoring at home"), ("isolation", "Isolation at home")]


class Migration(migrations.Migration):
    dependencies = [("care", "0003_named_in_error")]

    operations = [
        migrations.AddField("order", "home_from", models.DateField(blank=True, null=True)),
        migrations.AddField(
            "order", "home_kind", models.CharField(blank=True, choices=HOME_KINDS, default="", max_length=12),
            preserve_default=False,
        ),
        migrations.AddField("order", "moved_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "order", "moved_by", models.CharField(blank=True, default="", max_length=120),
            preserve_default=False,
        ),
    ]  # fmt: skip
