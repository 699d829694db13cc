from django.db import migrations, models

WHYS = [
    ("source_excluded", "The source case was excluded"),
    ("withdrawn", "Named in error"),
    ("joined", "Counts for another contact of hers"),
]


class Migration(migrations.Migration):
    """A naming goes over to another contact of the same person."""

    dependencies = [("tracing", "0016_opened_in_error")]

    operations = [
        migrations.AlterField(
            model_name="namingend",
            name="why",
            field=models.CharField(choices=WHYS, max_length=16),
        ),
    ]
