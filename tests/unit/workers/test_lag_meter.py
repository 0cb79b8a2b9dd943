from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from schemas.errors import Transient
from workers import lag_meter
from workers.lag_meter import LagMeter, Lags

LAGS: Lags = {("articles", 0): 3, ("articles", 1): 4, ("titles", 0): 50}


def test_the_lag_is_that_of_the_partitions_asked_for() -> None:
    meter = LagMeter(lambda: LAGS)
    meter.measure()
    assert (meter.of({("articles", 0), ("titles", 0)}), meter.of(set())) == (53, 0)


def test_each_topic_has_its_gauge() -> None:
    LagMeter(lambda: LAGS).measure()
    assert REGISTRY.get_sample_value("copydesk_committed_lag_events", {"topic": "articles"}) == 7


def test_nobody_knows_the_lag_before_it_was_measured_or_when_the_broker_is_away() -> None:
    def away() -> Lags:
        raise Transient("no broker")

    meter = LagMeter(away)
    meter.measure()
    assert meter.of({("articles", 0)}) is None


def test_an_old_figure_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = LagMeter(lambda: LAGS)
    meter.measure()
    monkeypatch.setattr(lag_meter, "EVERY_S", -1.0)
    assert meter.of({("articles", 0)}) is None
