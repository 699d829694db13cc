"""Who does a verb: an account in a post through a door, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """`account_id`, `post_id`: None for the system. `door`: web, api, cli, import, drill or worker."""

    account_id: int | None
    post_id: int | None
    name: str
    door: str

    @classmethod
    def system(cls, name: str, *, door: str = "worker") -> Actor:
        return cls(account_id=None, post_id=None, name=name, door=door)

    @property
    def is_system(self) -> bool:
        return self.account_id is None and self.post_id is None
