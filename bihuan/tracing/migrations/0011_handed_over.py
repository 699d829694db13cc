from django.db import migrations, models

STATUS = models.CharField(
    choices=[
        ("candidate", "To be assessed"),
        ("confirmed", "Close contact"),
        ("general", "General contact"),
        ("released", "Released"),
        ("became_case", "Became a case"),
        ("lost", "Not found"),
        ("handed_over", "Handed over"),
    ],
    default="confirmed",
    max_length=12,
)


class Migration(migrations.Migration):
    """A contact whom another territory has taken over by an assistance request."""

    dependencies = [("tracing", "0010_stranger_look")]

    operations = [
        migrations.AddField(
            model_name="contact",
            name="handed_over_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="assistancerequest",
            name="handed_over_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(model_name="contact", name="status", field=STATUS),
        migrations.AlterField(model_name="contactevent", name="status", field=STATUS.clone()),
    ]
