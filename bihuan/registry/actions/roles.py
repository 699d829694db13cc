"""Bringing the roles of the roles file into force."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from bihuan.registry import stamps
from bihuan.registry.access import require
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, Invalid
from bihuan.registry.models.organization import Grant, Post, Role
from bihuan.registry.roles_rules import RoleDefinition, RolesFileError, parse_roles

FILE = "roles.yaml"


@dataclass(frozen=True, slots=True)
class SyncReport:
    roles: int
    granted: int
    withdrawn: int


def read_roles(folders: list[Path] | None = None) -> dict[str, RoleDefinition]:
    """Return the roles that the pack folders define; a later folder replaces a role of an earlier one."""
    found: dict[str, RoleDefinition] = {}
    for folder in folders or settings.BIHUAN_PACKS:
        path = Path(folder) / FILE
        if not path.is_file():
            continue
        try:
            found |= parse_roles(yaml.safe_load(path.read_text(encoding="utf-8")), file=str(path))
        except (RolesFileError, yaml.YAMLError) as error:
            raise Invalid(str(error), code="roles-file") from error
    if not found:
        raise Invalid(_("No pack folder holds a %(file)s.") % {"file": FILE}, code="roles-file")
    return found


@transaction.atomic
def sync_roles(*, actor: Actor, folders: list[Path] | None = None) -> SyncReport:
    """Make the role tables say what the roles files say. Roles that are gone must have no post left."""
    require("account.admin")
    wanted = read_roles(folders)
    gone = set(Role.objects.values_list("key", flat=True)) - set(wanted)
    held = sorted(Post.objects.filter(role__in=gone).values_list("role_id", flat=True).distinct())
    if held:
        raise Conflict(
            _("Posts still have the role %(roles)s, which the roles file no longer defines.")
            % {"roles": ", ".join(held)},
            hint=_("Give these posts another role, or put the role back."),
        )
    have = {(g.role_id, g.right, g.field_class, g.relation): g.id for g in Grant.objects.all()}
    want = {(r.key, g.right, g.field_class, g.relation) for r in wanted.values() for g in r.grants}
    known = {r.key: r for r in Role.objects.all()}
    stale = [r for r in wanted.values() if _differs(known.get(r.key), r)]
    if stale:
        Role.objects.bulk_create(
            [Role(key=r.key, label=r.label, second_factor=r.second_factor) for r in stale],
            update_conflicts=True,
            unique_fields=["key"],
            update_fields=["label", "second_factor"],
        )
    new, old = want - set(have), [have[cell] for cell in set(have) - want]
    if new:
        Grant.objects.bulk_create(
            [Grant(role_id=r, right=right, field_class=f, relation=rel) for r, right, f, rel in sorted(new)]
        )
    if old:
        Grant.objects.filter(id__in=old).delete()
    if gone:
        Role.objects.filter(key__in=gone).delete()
    stamps.look_again()
    return SyncReport(roles=len(wanted), granted=len(new), withdrawn=len(old))


def _differs(row: Role | None, wanted: RoleDefinition) -> bool:
    return row is None or row.label != wanted.label or row.second_factor != wanted.second_factor
