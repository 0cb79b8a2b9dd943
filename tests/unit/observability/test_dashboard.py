"""Dashboard, alert rules and scrape configurations speak of nothing that no worker says.

Every expression is parsed; each series in it must be one of `metrics.py`, and each label one that the series has at
that place of the expression.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from copydesk.ports import WORKERS, metrics_ports
from infra.observability import metrics
from infra.settings import Settings

HERE = Path("infra/observability")
DASHBOARD: dict[str, Any] = json.loads((HERE / "grafana/copydesk.json").read_text())
RULES = [
    rule for group in yaml.safe_load((HERE / "prometheus/alerts.yml").read_text())["groups"] for rule in group["rules"]
]
OF_THE_TARGET = frozenset({"job", "instance", "worker"})
"""Labels that Prometheus itself puts on everything it scrapes by our configurations."""
KNOWN = metrics.series() | {
    "up": (),
    "process_resident_memory_bytes": (),
    "process_cpu_seconds_total": (),
}
VARIABLES = {"$__rate_interval": "1m", "$worker": ".*"}
PLACEHOLDER = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)[^}]*\}\}")


def labels_of(expression: object) -> frozenset[str]:
    """The labels on the expression's result. Fails on an unknown series, or a label that is not there to be used."""
    match expression:
        case promql.NumberLiteral() | promql.StringLiteral():
            return frozenset()
        case promql.VectorSelector():
            assert expression.name in KNOWN, f"no worker says {expression.name!r}"
            there = OF_THE_TARGET | set(KNOWN[expression.name])
            used = {matcher.name for matcher in expression.matchers.matchers}
            assert used <= there, f"{expression.name} has no label {used - there}"
            return there
        case promql.MatrixSelector():
            return labels_of(expression.vector_selector)
        case promql.SubqueryExpr() | promql.ParenExpr() | promql.UnaryExpr():
            return labels_of(expression.expr)
        case promql.Call():
            labels = frozenset[str]().union(*map(labels_of, expression.args))
            if expression.func.name == "histogram_quantile":
                assert "le" in labels, "a quantile needs the buckets' `le`"
                return labels - {"le"}
            return labels
        case promql.AggregateExpr():
            labels, modifier = labels_of(expression.expr), expression.modifier
            if modifier is None:
                return frozenset()
            named = frozenset(modifier.labels)
            assert named <= labels, f"{named - labels} is not there to group by"
            return named if modifier.type == promql.AggModifierType.By else labels - named
        case promql.BinaryExpr():
            left, right = labels_of(expression.lhs), labels_of(expression.rhs)
            matching = expression.modifier.matching if expression.modifier is not None else None
            if matching is not None:
                named = frozenset(matching.labels)
                assert named <= left & right, f"{named - (left & right)} is not on both sides"
            return left
        case _:
            raise AssertionError(f"not known to this test: {expression!r}")


def parsed(text: str) -> frozenset[str]:
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    return labels_of(promql.parse(text))


QUERIES = [
    pytest.param(target, id=f"{panel['title']} {target['refId']}")
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", [])
]


@pytest.mark.parametrize("target", QUERIES)
def test_a_panel_asks_for_what_there_is_and_names_its_lines_by_labels_they_have(target: dict[str, Any]) -> None:
    labels = parsed(target["expr"])
    assert set(PLACEHOLDER.findall(target["legendFormat"])) <= labels


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_asks_for_what_there_is_and_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    labels = parsed(rule["expr"])
    words = rule["annotations"]["summary"] + rule["annotations"]["action"]
    assert set(re.findall(r"\$labels\.(\w+)", words)) <= labels
    assert rule["labels"]["severity"] in {"page", "ticket"}


def test_the_cases_of_the_alerts_speak_of_series_and_alerts_that_there_are() -> None:
    """Whether the alerts fire as the cases say is promtool's to tell, and no package for Python brings it along."""
    cases = yaml.safe_load((HERE / "prometheus/alerts_test.yml").read_text())["tests"]
    named = {test["alertname"] for case in cases for test in case.get("alert_rule_test", [])}
    for case in cases:
        for given in case["input_series"]:
            parsed(given["series"])
        for test in case.get("promql_expr_test", []):
            promql.parse(test["expr"])
            named |= set(re.findall(r'alertname="(\w+)"', test["expr"]))
    assert named
    assert named <= {rule["alert"] for rule in RULES}


def test_annotations_and_variables_of_the_dashboard_ask_for_what_there_is() -> None:
    for annotation in DASHBOARD["annotations"]["list"]:
        parsed(annotation["expr"])
    for variable in DASHBOARD["templating"]["list"]:
        if match := re.fullmatch(r"label_values\((\w+), (\w+)\)", variable.get("definition", "")):
            assert match.group(1) in KNOWN
            assert match.group(2) in OF_THE_TARGET | set(KNOWN[match.group(1)])


def test_every_metric_of_ours_is_looked_at_somewhere() -> None:
    """Those that no panel and no rule asks for are there for one's own questions, and named here."""
    asked = json.dumps(DASHBOARD) + json.dumps(RULES)
    unasked = {
        name
        for name in metrics.series()
        if not re.search(rf"\b{name}\b", asked)
        and not re.search(rf"\b{re.sub('_(bucket|sum|count)$', '', name)}_(bucket|sum|count)\b", asked)
    }
    assert unasked == {
        "copydesk_events_received_total",
        "copydesk_window_size_events",
        "copydesk_page_seconds_bucket",
        "copydesk_page_seconds_count",
        "copydesk_page_seconds_sum",
        "copydesk_score_batch_titles_bucket",
        "copydesk_score_batch_titles_count",
        "copydesk_score_batch_titles_sum",
        "copydesk_model_server_requests_total",
        "copydesk_model_server_batch_requests_bucket",
        "copydesk_model_server_batch_requests_count",
        "copydesk_model_server_batch_requests_sum",
        "copydesk_model_server_waiting_requests",
        "copydesk_model_server_adapters",
    }


@pytest.mark.parametrize(
    "expression",
    [
        "copydesk_events_lost_total",
        'copydesk_paused{topic="titles"}',
        "sum by (model) (copydesk_in_flight_events)",
        "histogram_quantile(0.9, sum by (origin) (rate(copydesk_fetched_to_published_seconds_bucket[5m])))",
        "copydesk_champion_info unless on (topic) copydesk_adapter_info",
    ],
)
def test_an_expression_about_something_else_is_found_out(expression: str) -> None:
    with pytest.raises(AssertionError):
        parsed(expression)


def test_metrics_are_named_as_prometheus_wants_it() -> None:
    unit = re.compile(
        r"_(total|seconds(_bucket|_sum|_count)?|events|titles(_bucket|_sum|_count)?|partitions|ratio|info|"
        r"requests(_bucket|_sum|_count)?|adapters|sources)$"
    )
    yes_or_no_or_count = {"copydesk_paused", "copydesk_ready", "copydesk_training", "copydesk_corrections_waiting"}
    odd = {name for name in metrics.series() if not unit.search(name)}
    assert odd == yes_or_no_or_count
    assert all(name.startswith("copydesk_") for name in metrics.series())


def test_the_panels_fill_the_screen_without_lying_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_one_machine_s_prometheus_finds_every_worker_where_the_stack_puts_it() -> None:
    config = yaml.safe_load((HERE / "prometheus/one-machine.yml").read_text())
    found = {
        static["labels"]["worker"]: static["targets"]
        for job in config["scrape_configs"]
        for static in job["static_configs"]
    }
    settings = Settings()
    expected = metrics_ports(settings) | {"model-server": settings.model_server_port}
    assert found == {name: [f"127.0.0.1:{port}"] for name, port in expected.items()}


def test_compose_s_prometheus_finds_every_worker_where_compose_puts_it() -> None:
    config = yaml.safe_load((HERE / "prometheus/compose.yml").read_text())
    compose = yaml.safe_load(Path("docker-compose.yml").read_text())
    (job,) = (job for job in config["scrape_configs"] if job["job_name"] == "copydesk")
    (sought,) = job["dns_sd_configs"]

    assert set(sought["names"]) == set(WORKERS)
    for worker in WORKERS:
        environment = compose["services"][worker]["environment"]
        assert environment["COPYDESK_METRICS_PORT"] == sought["port"]
        assert environment["COPYDESK_METRICS_HOST"] == "0.0.0.0"
    for service in ("prometheus", "grafana"):
        assert compose["services"][service]["profiles"] == ["observe"]
        for mount in compose["services"][service]["volumes"]:
            source = mount.split(":")[0]
            assert not source.startswith("./") or Path(source).exists(), source
