"""Who owes, and who is told: posts resolved once a batch for each place."""

from __future__ import annotations

from datetime import datetime

from bihuan.registry import posts
from bihuan.registry.errors import UnknownPost


class Owners:
    """Owners of duties and targets of rungs, remembered for the length of a batch."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.directory = posts.directory()
        self.found: dict[tuple[tuple[str, ...], str, int | None], tuple[int, bool]] = {}
        self.targets: dict[tuple[str, int, str], int] = {}

    def owner(
        self, functions: tuple[str, ...], territory_code: str, organization_id: int | None
    ) -> tuple[int, bool]:
        """The post that owes, and whether it is only the command post standing in."""
        key = (functions, territory_code, organization_id)
        found = self.found.get(key)
        if found is None:
            answer = self.directory.resolve_owner(
                functions, territory_code, at=self.now, organization_id=organization_id
            )
            found = self.found[key] = (answer.post_id, answer.fallback)
        return found

    def is_active(self, post_id: int) -> bool:
        """Whether a post that was given a duty can still owe it."""
        found = self.directory.by_id.get(post_id)
        return found is not None and found.is_active(self.now)

    def target(self, to: str, owner_post_id: int, territory_code: str) -> int:
        """The post a rung leads to. The top of the tree has no superior: it is told itself."""
        key = (to, owner_post_id, territory_code)
        found = self.targets.get(key)
        if found is None:
            found = self.targets[key] = self._target(to, owner_post_id, territory_code)
        return found

    def _target(self, to: str, owner_post_id: int, territory_code: str) -> int:
        if to != "superior":
            return self.directory.command_at(to.removesuffix("_command"), territory_code, at=self.now).post_id
        try:
            return self.directory.superior_of(owner_post_id, at=self.now) or owner_post_id
        except UnknownPost:
            return self.directory.command_at("county", territory_code, at=self.now).post_id
