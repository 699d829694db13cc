"""Addresses of the API door, below /api/."""

from django.urls import include, path, re_path

from bihuan.doors.api import service

app_name = "api"

urlpatterns = [
    path("v1/", include(service.urls())),
    re_path(r"^.*$", service.nowhere, name="nowhere-at-all"),
]
