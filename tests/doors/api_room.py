"""Short words for tests of the API: a token of a member's post, a client that speaks JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from bihuan.registry import posts, scope
from bihuan.registry.actions.tokens import create_token
from bihuan.registry.actor import Actor
from bihuan.registry.models import Organization
from tests.cast import Member

SYSTEM = Actor.system("test", door="test")
ROOT = "/api/v1"


def token_for(who: Member) -> str:
    """A token that acts in a member's post."""
    with scope.system():
        post = posts.get(who.post.id)
        house = Organization.objects.get(pk=post.organization_id)
        made = create_token(
            organization=house.public_id, name=f"{post.function} test", actor=SYSTEM, post=post.public_id
        )
    return made.secret


def partner_token(who: Member) -> str:
    """A token for a partner system of a member's organization: the role api_partner."""
    with scope.system():
        house = Organization.objects.get(pk=posts.get(who.post.id).organization_id)
        return create_token(organization=house.public_id, name="partner", actor=SYSTEM).secret


@dataclass
class Api:
    """Calls below /api/v1 with one token. Answers are Django's, with `.json()`."""

    token: str
    client: Client = field(default_factory=lambda: Client(headers={"accept-language": "en"}))

    def get(self, path: str, query: Any = None, **headers: str) -> Any:
        return self.client.get(ROOT + path, query, headers=self._headers(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps({} if body is None else body)
        return self.client.post(
            ROOT + path, content, content_type="application/json", headers=self._headers(headers)
        )

    def put(self, path: str, body: Any) -> Any:
        return self.client.put(
            ROOT + path, json.dumps(body), content_type="application/json", headers=self._headers({})
        )

    def patch(self, path: str, body: Any) -> Any:
        return self.client.patch(
            ROOT + path, json.dumps(body), content_type="application/json", headers=self._headers({})
        )

    def send(self, path: str, data: dict[str, Any], **headers: str) -> Any:
        """A multipart form."""
        return self.client.post(ROOT + path, data, headers=self._headers(headers))

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.token}", "accept-language": "en", **named}


def api_of(who: Member) -> Api:
    return Api(token_for(who))
