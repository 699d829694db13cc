"""A digest as a mail to those who hold the post and have an address, through Django's mail settings."""

from __future__ import annotations

from collections import defaultdict

from django.core.mail import EmailMessage, get_connection
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bihuan.registry import posts
from bihuan.registry.models import Account
from bihuan.registry.outbox import DigestView, Undeliverable, words_of


class Mail:
    """One mail a digest and language, its readers hidden from each other. Mail cannot be asked twice: when a
    process dies while sending, the delivery is marked "perhaps sent" and not repeated."""

    channel = "mail"
    can_repeat = False

    def __init__(self, sender: str) -> None:
        self.sender = sender

    def send(self, digest: DigestView) -> None:
        readers = _readers(digest.post_id)
        if not readers:
            raise Undeliverable("nobody in the post has a mail address")
        messages = [self._message(digest, language, to) for language, to in sorted(readers.items())]
        get_connection(fail_silently=False).send_messages(messages)

    def _message(self, digest: DigestView, language: str, to: list[str]) -> EmailMessage:
        with translation.override(language):
            n = digest.n_notices
            subject = ngettext("Bihuan: %(n)d notice", "Bihuan: %(n)d notices", n) % {"n": n}
            lines = [posts.get(digest.post_id).label, ""]
            lines += [f"- {words_of(notice)}" for notice in digest.notices]
            sent = timezone.localtime(digest.send_at)
            lines += ["", _("As of %(at)s. Log in to Bihuan to see more.") % {"at": f"{sent:%Y-%m-%d %H:%M}"}]
        return EmailMessage(
            subject=subject,
            body="\n".join(lines),
            from_email=self.sender,
            bcc=to,
            headers={"X-Bihuan-Id": digest.key, "Auto-Submitted": "auto-generated"},
        )


def _readers(post_id: int) -> dict[str, list[str]]:
    """Mail addresses of who holds the post now, by language."""
    holders = [held.account_id for held in posts.holders(post_id)]
    found: dict[str, list[str]] = defaultdict(list)
    rows = Account.objects.filter(id__in=holders, is_active=True).exclude(email="").order_by("id")
    for language, email in rows.values_list("language", "email"):
        found[language].append(email)
    return dict(found)
