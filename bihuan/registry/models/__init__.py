"""Facts of the registry, one concept a file."""

from bihuan.registry.models.account import Account
from bihuan.registry.models.base import ScopedManager, ScopedModel, ScopedQuerySet, TerritoryCodeField
from bihuan.registry.models.organization import (
    ApiToken,
    Assignment,
    Grant,
    Organization,
    OrganizationKind,
    Post,
    PostFunction,
    Role,
)
from bihuan.registry.models.stamp import Stamp
from bihuan.registry.models.territory import Level, Territory

__all__ = [
    "Account",
    "ApiToken",
    "Assignment",
    "Grant",
    "Level",
    "Organization",
    "OrganizationKind",
    "Post",
    "PostFunction",
    "Role",
    "ScopedManager",
    "ScopedModel",
    "ScopedQuerySet",
    "Stamp",
    "Territory",
    "TerritoryCodeField",
]
