"""Addresses of the web door. Every view behind them declares its access."""

from django.urls import path

from bihuan.doors.web.views import patterns, session

app_name = "web"

urlpatterns = [
    path("", session.home, name="home"),
    path("theme/", session.theme, name="theme"),
    path("no-post/", session.no_post, name="no_post"),
    path("settings/", session.settings, name="settings"),
    path("patterns/", patterns.patterns, name="patterns"),
]
