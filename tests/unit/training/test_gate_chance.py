"""The gate under chance: good challengers pass, harmful ones do not, however the held-out stories happen to be drawn.

The exact shares, from more draws, are in docs/retrain.md.
"""

from __future__ import annotations

import pytest

from tests.gate_chance import CASES, Case, refused


@pytest.mark.parametrize("case", [case for case in CASES if case.most_refused < 1], ids=lambda case: case.name)
def test_a_challenger_as_good_or_better_is_hardly_ever_refused(case: Case) -> None:
    assert refused(case, stories=60, trials=250) <= case.most_refused


@pytest.mark.parametrize("case", [case for case in CASES if case.least_refused > 0], ids=lambda case: case.name)
def test_a_harmful_challenger_is_mostly_refused(case: Case) -> None:
    assert refused(case, stories=60, trials=100) >= case.least_refused
