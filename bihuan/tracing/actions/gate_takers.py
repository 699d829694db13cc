"""Who took a record at a gate: on a device that several people use, a record stays its taker's until it is
sent, and whoever else sends it is named beside her.

The gate's page gets a token that says who is logged in. It holds numbers under a signature, no name; records
kept on the device bear it, and are closed for this server (`rules.seal`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec
from django.core.signing import BadSignature, Signer
from django.utils.translation import gettext as _

from bihuan.registry import posts
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
from bihuan.registry.models import Account
from bihuan.registry.scope import LAST
from bihuan.registry.secrets import keyring
from bihuan.tracing.rules import seal

_SALT = "bihuan.gate.taker"


@dataclass(frozen=True, slots=True)
class Taker:
    """An account in a post. Both None: somebody who was not logged in."""

    account_id: int | None
    post_id: int | None

    @property
    def is_nobody(self) -> bool:
        return self.account_id is None or self.post_id is None


NOBODY = Taker(None, None)


def taker_of(actor: Actor) -> Taker:
    """Who acts, as a taker."""
    return Taker(actor.account_id, actor.post_id)


def token_of(taker: Taker) -> str:
    """The token of a taker: the same whenever she logs in; "" for nobody."""
    if taker.is_nobody:
        return ""
    return Signer(salt=_SALT).sign(f"{taker.account_id}.{taker.post_id}")


def read_token(token: str) -> Taker:
    """The taker of a token. Raises Invalid for one that this installation did not sign."""
    if not token:
        return NOBODY
    try:
        account, post = Signer(salt=_SALT).unsign(token).split(".")
        return Taker(int(account), int(post))
    except (BadSignature, ValueError):
        raise Invalid(
            _("It cannot be read who took these records; nothing was recorded."), code="gate-taker"
        ) from None


def name_of(taker: Taker) -> str:
    """Account and post in the reader's language; "" for nobody."""
    if taker.account_id is None or taker.post_id is None:
        return ""
    account = Account.objects.filter(pk=taker.account_id).first()
    if account is None:
        return ""
    return f"{account} · {posts.get(taker.post_id).label}"


def check_taker(taker: Taker, territory_code: str) -> None:
    """A taker named must be of a post that the gate belongs to. Raises Invalid."""
    if taker.post_id is None:
        return
    own = posts.get(taker.post_id).territory_code
    if not own <= territory_code < own + LAST:
        raise Invalid(_("These records are of another gate; nothing was recorded."), code="gate-taker")


def public_seal() -> bytes:
    """The public key for which devices close records."""
    return seal.public_bytes(_own_key())


def open_record(sealed: bytes, *, place: str, event: str, taker: str) -> bytes:
    """The text of a record closed by a device. Raises ValueError."""
    return seal.opened(sealed, key=_own_key(), about=seal.bound_to(place=place, event=event, taker=taker))


def _own_key() -> ec.EllipticCurvePrivateKey:
    # the index key never changes (registry.secrets), so what a device closed stays readable after a new key
    return _derived(keyring().index("gate-seal", "1"))


@lru_cache(maxsize=2)
def _derived(secret: str) -> ec.EllipticCurvePrivateKey:
    return seal.private_key(bytes.fromhex(secret))
