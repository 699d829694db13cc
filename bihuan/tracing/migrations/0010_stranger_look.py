from django.db import migrations, models


class Migration(migrations.Migration):
    """A look at what gates registered of a number is a kind of its own."""

    dependencies = [("tracing", "0009_gates")]

    operations = [
        migrations.AlterField(
            model_name="visitlook",
            name="kind",
            field=models.CharField(
                choices=[
                    ("track", "Where a case was"),
                    ("met", "Who was where a case was"),
                    ("place", "Who was at a place"),
                    ("common", "Where cases were together"),
                    ("stranger", "What gates registered of a number"),
                ],
                max_length=8,
            ),
        ),
    ]
