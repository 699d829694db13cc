from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tracing", "0004_investigations"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="pseudonym", name="tracing_pseudonym_once"),
        migrations.AddConstraint(
            model_name="pseudonym",
            constraint=models.UniqueConstraint(fields=("person", "key"), name="tracing_pseudonym_once"),
        ),
    ]
