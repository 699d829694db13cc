"""Facts of the registry, one concept a file."""

from bihuan.registry.models.account import Account
from bihuan.registry.models.audit import AccessLog, BreakGlass, ChainBlock, ShredRecord
from bihuan.registry.models.base import ScopedManager, ScopedModel, ScopedQuerySet, TerritoryCodeField
from bihuan.registry.models.clock import ClockSetting
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
from bihuan.registry.models.outbox import Delivery, DeliveryState, Digest, Notice
from bihuan.registry.models.people import (
    DuplicateDecision,
    DuplicateVerdict,
    Household,
    IdentityKind,
    MergeRecord,
    Person,
    PersonSex,
)
from bihuan.registry.models.stamp import Stamp
from bihuan.registry.models.territory import Level, Territory

__all__ = [
    "AccessLog",
    "Account",
    "ApiToken",
    "Assignment",
    "BreakGlass",
    "ChainBlock",
    "ClockSetting",
    "Delivery",
    "DeliveryState",
    "Digest",
    "DuplicateDecision",
    "DuplicateVerdict",
    "Grant",
    "Household",
    "IdentityKind",
    "Level",
    "MergeRecord",
    "Notice",
    "Organization",
    "OrganizationKind",
    "Person",
    "PersonSex",
    "Post",
    "PostFunction",
    "Role",
    "ScopedManager",
    "ScopedModel",
    "ScopedQuerySet",
    "ShredRecord",
    "Stamp",
    "Territory",
    "TerritoryCodeField",
]
