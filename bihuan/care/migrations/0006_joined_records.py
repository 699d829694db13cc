from django.db import migrations, models

ENDS = [
    ("end_reached", "Its planned end was reached"),
    ("released", "Released at the end"),
    ("source_excluded", "The source case was excluded"),
    ("general_contact", "Re-assessed as a general contact"),
    ("became_case", "Became a case"),
    ("appeal_upheld", "Appeal upheld"),
    ("appeal_unanswered", "Appeal not answered in time"),
    ("replaced", "Replaced by a later order"),
    ("lost", "Person not found"),
    ("died", "Person died"),
    ("named_in_error", "Named a contact in error"),
    ("joined", "Observed as another contact of hers"),
]


class Migration(migrations.Migration):
    """An order ends where its contact is found to be the person of another."""

    dependencies = [("care", "0005_own_page")]

    operations = [
        migrations.AlterField(
            model_name=name,
            name="end_reason",
            field=models.CharField(blank=True, choices=ENDS, max_length=20),
        )
        for name in ("order", "orderevent")
    ]
