"""What a process says about itself when it is asked."""

from __future__ import annotations

import time

from infra.observability import health, metrics


def probes(live: str | None = None, ready: str | None = None) -> dict[str, health.Probe]:
    return {"/livez": lambda: live, "/readyz": lambda: ready}


def test_all_is_well_with_200() -> None:
    assert health.answer("/livez", probes())[::2] == (200, b"ok\n")


def test_not_ready_is_503_with_the_reason_and_leaves_liveness_alone() -> None:
    asked = probes(ready="the model loads")
    assert health.answer("/readyz", asked)[::2] == (503, b"the model loads\n")
    assert health.answer("/livez", asked)[0] == 200


def test_a_probe_that_fails_is_a_reason() -> None:
    def broken() -> str | None:
        raise RuntimeError("no idea")

    assert health.answer("/readyz", {"/readyz": broken})[::2] == (503, b"RuntimeError: no idea\n")


def test_an_unknown_path_is_told_which_ones_there_are() -> None:
    status, _, body = health.answer("/secret", probes())
    assert status == 404
    assert b"/readyz" in body


def test_metrics_come_in_prometheus_own_text_format() -> None:
    metrics.EVENTS_SENT.labels("titles").inc(3)
    status, kind, body = health.answer("/metrics", {})
    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert b'copydesk_events_sent_total{topic="titles"}' in body
    assert b"process_resident_memory_bytes" in body


def test_port_0_listens_nowhere_and_still_tells_the_metrics_whether_the_process_is_ready() -> None:
    reasons: list[str | None] = ["the model loads"]
    assert health.serve(0, live=lambda: None, ready=lambda: reasons[-1]) is None
    assert b"copydesk_ready 0.0" in health.answer("/metrics", {})[2]
    reasons.append(None)
    assert b"copydesk_ready 1.0" in health.answer("/metrics", {})[2]


def test_a_condition_is_ready_when_it_has_started_and_nothing_stands_in_the_way() -> None:
    condition = health.Condition(silence_s=60, starting="the scraper starts")
    assert condition.ready() == "the scraper starts"
    condition.started()
    condition.trouble("feed a", "the database is away")
    condition.trouble("feed b", "the database is away")
    assert condition.ready() == "the database is away"
    assert condition.live() is None
    condition.settled("feed a")
    condition.settled("feed b")
    condition.settled("never said")
    assert condition.ready() is None


def test_a_silent_main_loop_is_neither_live_nor_ready_until_it_comes_round() -> None:
    condition = health.Condition(silence_s=0.05, starting="")
    condition.started()
    time.sleep(0.1)
    assert "has not come round" in (condition.live() or "")
    assert condition.ready() == condition.live()
    condition.beat()
    assert condition.live() is None


def test_an_info_has_one_set_of_labels_at_a_time() -> None:
    for version in ("v1", "v2"):
        metrics.say(metrics.CHAMPION, model_version=version, sequence="1")
    said = health.answer("/metrics", {})[2]
    assert b'copydesk_champion_info{model_version="v2",sequence="1"} 1.0' in said
    assert b'copydesk_champion_info{model_version="v1"' not in said
