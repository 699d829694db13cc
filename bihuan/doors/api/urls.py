"""Addresses of the API door, below /api/."""

from django.urls import include, path, re_path

from bihuan.doors.api import exchange, service

app_name = "api"

urlpatterns = [
    path("v1/exchange/messages", exchange.messages, name="exchange-messages"),
    path("v1/exchange/card", exchange.card, name="exchange-card"),
    path("v1/", include(service.urls())),
    re_path(r"^.*$", service.nowhere, name="nowhere-at-all"),
]
