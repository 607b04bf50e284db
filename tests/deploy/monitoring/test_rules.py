"""Checks the rules and the dashboard of Prometheus against the code and the documents."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import REGISTRY

from services.kit.database import pool_metrics

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "deploy/monitoring"
METRICS = (
    "gateway.http.metrics",
    "services.accounts.metrics",
    "services.bookings.metrics",
    "services.events.metrics",
    "services.kit.process.metrics",
    "services.kit.tls.reloading",
)
SUFFIXES = ("_bucket", "_count", "_sum", "_total", "_created")


def queries() -> Iterator[str]:
    """Yields all queries of the rules and the dashboard."""
    for rule in rules():
        yield rule["expr"]
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def rules() -> list[dict[str, Any]]:
    """Returns all rules: recorded series and alerts."""
    groups = yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> set[str]:
    """Returns the names of all alerts."""
    return {rule["alert"] for rule in rules() if "alert" in rule}


def known_metrics() -> set[str]:
    """Returns the names of all metrics, without the suffixes of their series."""
    for module in METRICS:
        importlib.import_module(module)
    with pool_metrics.exposed([]):
        return {without_suffix(metric.name) for metric in REGISTRY.collect()}


def without_suffix(name: str) -> str:
    """Returns the name of the metric that a series belongs to."""
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def test_rules_and_dashboard_use_metrics_that_exist() -> None:
    """An alert on a metric that was renamed would never fire."""
    used = {name for query in queries() for name in re.findall(r"\bboxoffice_\w+", query)}
    assert {name for name in used if without_suffix(name) not in known_metrics()} == set()


def test_recorded_series_that_are_used_are_recorded() -> None:
    """A panel or an alert on a series that nothing records would stay empty."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = {name for query in queries() for name in re.findall(r"\bboxoffice:[\w:]+", query)}
    assert used == recorded


def test_the_objective_counts_every_endpoint_that_books() -> None:
    """A slow or failing endpoint could be left out of the objective."""
    counted = {
        route
        for query in queries()
        for routes in re.findall(r'method="POST",\s*route=~"([^"]+)"', query)
        for route in routes.split("|")
    }
    assert counted == {"/api/bookings/reserve", "/api/seat-reservations", "/book", "/bookings"}
    contract = "".join(file.read_text() for file in (ROOT / "protos").rglob("*.proto"))
    assert {route for route in counted if f'post: "{route}"' not in contract} == set()


def test_every_alert_is_tested_and_explained() -> None:
    """An alert could never fire, or wake somebody who does not know what to do."""
    tests = yaml.safe_load((MONITORING / "rules_test.yaml").read_text())["tests"]
    fired = {
        test["alertname"]
        for each in tests
        for test in each["alert_rule_test"]
        if test["exp_alerts"]
    }
    explained = set(re.findall(r"`(Boxoffice\w+)`", (ROOT / "docs/monitoring.md").read_text()))
    assert alerts() == fired == explained
