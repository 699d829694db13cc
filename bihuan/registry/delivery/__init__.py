"""Ways by which digests leave the house: a webhook or a folder of files, and e-mail. All are off unless the
installation's settings name them (`BIHUAN_WEBHOOK_URL`, `BIHUAN_MAIL_URL`). `outbox.deliver` drives them.

What leaves are counts, kinds and public ids, as they stand in the digest: no personal data.
"""

from __future__ import annotations

from django.conf import settings

from bihuan.registry.delivery.mail import Mail
from bihuan.registry.delivery.webhook import Folder, Webhook
from bihuan.registry.outbox import NoticeAdapter

__all__ = ["Folder", "Mail", "Webhook", "adapters"]


def adapters() -> list[NoticeAdapter]:
    """The ways out that this installation has switched on; none by default."""
    found: list[NoticeAdapter] = []
    url = settings.BIHUAN_WEBHOOK_URL
    if url.startswith("file://"):
        found.append(Folder(url.removeprefix("file://")))
    elif url:
        found.append(Webhook(url, settings.BIHUAN_WEBHOOK_SECRET))
    if settings.BIHUAN_MAIL_URL:
        found.append(Mail(settings.DEFAULT_FROM_EMAIL))
    return found
