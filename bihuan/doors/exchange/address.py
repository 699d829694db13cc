"""The address by which the public reaches somebody's own page."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse


def own_address(request: HttpRequest) -> str:
    """`BIHUAN_PUBLIC_URL`, or the address by which the request came, with the path of the own page."""
    return f"{settings.BIHUAN_PUBLIC_URL or request.build_absolute_uri('/')[:-1]}{reverse('web:own')}"
