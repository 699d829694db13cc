from django.db import migrations, models

END_REASONS = [
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
]


class Migration(migrations.Migration):
    dependencies = [("care", "0002_initial")]

    operations = [
        migrations.AlterField(
            model_name=model,
            name="end_reason",
            field=models.CharField(blank=True, choices=END_REASONS, max_length=20),
        )
        for model in ("order", "orderevent")
    ]
