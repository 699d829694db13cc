from django.db import migrations, models

WATCHED = {
    "territory": ["registry_territory"],
    "posts": ["registry_post", "registry_organization"],
    "roles": ["registry_role", "registry_grant"],
}

FUNCTION = """
CREATE FUNCTION registry_bump_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry_stamp VALUES (TG_ARGV[0], gen_random_uuid())
        ON CONFLICT (name) DO UPDATE SET value = excluded.value;
    RETURN NULL;
END $$
"""


def _watch() -> list[migrations.RunSQL]:
    operations = []
    for name, tables in WATCHED.items():
        operations.append(
            migrations.RunSQL(
                f"INSERT INTO registry_stamp VALUES ('{name}', gen_random_uuid())",
                f"DELETE FROM registry_stamp WHERE name = '{name}'",
            )
        )
        operations.extend(
            migrations.RunSQL(
                f"CREATE TRIGGER stamp AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION registry_bump_stamp('{name}')",
                f"DROP TRIGGER stamp ON {table}",
            )
            for table in tables
        )
    return operations


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_ground")]

    operations = [
        migrations.CreateModel(
            name="Stamp",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("value", models.UUIDField()),
            ],
        ),
        migrations.RunSQL(FUNCTION, "DROP FUNCTION registry_bump_stamp()"),
        *_watch(),
    ]
