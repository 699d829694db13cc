"""Addresses of the web door. Every view behind them declares its access."""

from django.urls import path

from bihuan.doors.web.views import glass, importing, patterns, policy, session

app_name = "web"

urlpatterns = [
    path("", session.home, name="home"),
    path("theme/", session.theme, name="theme"),
    path("no-post/", session.no_post, name="no_post"),
    path("settings/", session.settings, name="settings"),
    path("post/", session.switch_post, name="switch_post"),
    path("glass/", glass.glass, name="glass"),
    path("glass/end/", glass.glass_end, name="glass_end"),
    path("glass/breaks/", glass.breaks, name="glass_breaks"),
    path("policy/", policy.policy, name="policy"),
    path("policy/diff/", policy.diff, name="policy_diff"),
    path("policy/value/<str:key>/", policy.value, name="policy_value"),
    path("import/", importing.importing, name="importing"),
    path("import/<str:job_id>/", importing.job, name="import_job"),
    path("import/<str:job_id>/columns/", importing.columns, name="import_columns"),
    path("import/<str:job_id>/preview/", importing.preview, name="import_preview"),
    path("import/<str:job_id>/ledger.csv", importing.ledger, name="import_ledger"),
    path("import/<str:job_id>/mapping.yaml", importing.mapping_file, name="import_mapping"),
    path("patterns/", patterns.patterns, name="patterns"),
]
