from django.db import migrations, models


class Migration(migrations.Migration):
    """Investigations that were opened for the wrong case."""

    dependencies = [
        ("tracing", "0015_exchange_decisions"),
    ]

    operations = [
        migrations.AddField(
            model_name="investigation",
            name="in_error",
            field=models.BooleanField(default=False),
        ),
    ]
