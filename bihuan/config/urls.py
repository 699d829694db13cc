"""Where each door stands."""

from django.urls import URLPattern, URLResolver, include, path

from bihuan.config import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", include("bihuan.doors.api.urls")),
    path("", include("bihuan.doors.web.urls")),
]

handler404 = "bihuan.doors.web.errors.not_found"
handler500 = "bihuan.doors.web.errors.failed"
