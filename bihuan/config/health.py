"""Is it alive, is it ready, how is it doing: /healthz, /readyz, /metrics.

None of the three tells anything about a person. /metrics answers to this machine, or to the bearer of
BIHUAN_METRICS_TOKEN.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import time
from collections.abc import Callable

from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)

from bihuan import __version__

REQUESTS = Counter("bihuan_requests", "Requests answered", ["route", "method", "status"])
SECONDS = Histogram("bihuan_request_seconds", "Seconds from request to answer", ["route"])

_is_migrated = False


class Measure:
    """Counts every request by route (never by address: addresses hold ids) and times it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        route = match.route if match else "-"
        SECONDS.labels(route).observe(time.perf_counter() - began)
        REQUESTS.labels(
            route, request.method if request.method in _METHODS else "OTHER", response.status_code
        ).inc()
        return response


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nothing of anybody else."""
    return JsonResponse({"status": "ok", "version": __version__})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers and is migrated: 200, else 503 with what is missing."""
    missing = _missing()
    return JsonResponse(
        {"status": "unready" if missing else "ready", "missing": missing}, status=503 if missing else 200
    )


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Counts and times for Prometheus."""
    if not _may_read_metrics(request):
        return HttpResponse(
            "Metrics answer to this machine or to the bearer of BIHUAN_METRICS_TOKEN.\n", status=403
        )
    return HttpResponse(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _missing() -> list[str]:
    global _is_migrated
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _is_migrated:
            executor = MigrationExecutor(connection)
            _is_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return ["database"]
    return [] if _is_migrated else ["migrations"]


def _may_read_metrics(request: HttpRequest) -> bool:
    token = os.environ.get("BIHUAN_METRICS_TOKEN", "")
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token:
        return hmac.compare_digest(given.encode(), token.encode())
    if request.headers.get("X-Forwarded-For"):  # came through a proxy: the address is the proxy's
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _registry() -> CollectorRegistry:
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return registry
