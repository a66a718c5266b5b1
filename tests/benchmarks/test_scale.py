"""The scheduling simulator against cases that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.scale.simulate import Cluster, simulate
from benchmarks.scale.spread import as_listed, like_uavdt, log_normal
from benchmarks.scale.tables import tables
from spotlabel.detector.evaluation.traffic.uavdt import TEST_LENGTHS
from spotlabel.pipeline.forecast.estimate import makespan


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_order_decides_when_the_last_one_ends() -> None:
    assert simulate([6, 3, 3], Cluster(2), rng()).seconds == 6
    assert simulate([3, 3, 6], Cluster(2), rng()).seconds == 9
    found = simulate([5, 4, 3, 3, 3], Cluster(2), rng())
    assert (found.seconds, found.useful, found.lost, found.restarts) == (10, 18, 0, 0)


def test_without_losses_it_is_the_forecasts_own_rule() -> None:
    durations = log_normal(300, 3e5, 1.0, rng()).tolist()
    assert simulate(durations, Cluster(17), rng()).seconds == pytest.approx(makespan(durations, 17))


def test_a_slow_core_holds_up_what_it_was_given() -> None:
    assert simulate([4, 4], Cluster(2, slow=0.5, factor=3.0), rng()).seconds == 12
    assert simulate([4, 4, 4], Cluster(2, slow=0.5, factor=3.0), rng()).seconds == 12


def test_losses_cost_what_theory_says() -> None:
    """A task of length d that starts anew after each loss takes (exp(rate d) - 1) / rate on the mean."""
    hours, rate = 0.5, 1.0
    cluster = Cluster(50, losses=rate, pause=0.0)
    found = simulate([3600 * hours] * 4000, cluster, rng())
    expected = 3600 * (math.exp(rate * hours) - 1) / rate
    assert (found.useful + found.lost) / 4000 == pytest.approx(expected, rel=0.03)
    assert found.useful == pytest.approx(4000 * 3600 * hours)
    assert found.restarts / 4000 == pytest.approx(math.exp(rate * hours) - 1, rel=0.05)


def test_a_core_that_was_taken_away_comes_back_after_its_pause() -> None:
    short = simulate([3600] * 20, Cluster(1, losses=1.0, pause=0.0), rng())
    long = simulate([3600] * 20, Cluster(1, losses=1.0, pause=500.0), rng())
    assert short.restarts == long.restarts > 0
    assert long.seconds == pytest.approx(short.seconds + 500 * long.restarts)


def test_spreads_keep_the_sum_and_the_shape() -> None:
    lengths = log_normal(10_000, 1e7, 1.0, rng())
    assert lengths.sum() == pytest.approx(1e7, rel=1e-3)
    assert np.log(lengths).std() == pytest.approx(1.0, abs=0.03)
    real = like_uavdt(10_000, 1e7, rng())
    assert real.max() / real.min() == pytest.approx(max(TEST_LENGTHS.values()) / min(TEST_LENGTHS.values()))
    assert len(np.unique(real.round(6))) <= 20
    listed = as_listed(lengths, rng())
    assert sorted(listed) == sorted(lengths)
    assert np.corrcoef(listed[:-1], listed[1:])[0, 1] > 0.5


def test_the_tables_are_the_same_every_time() -> None:
    small = {"videos": 200, "frames": 2e5}
    assert tables(**small) == tables(**small)
    assert "| log-normal, sigma 1 | 100 |" in tables(**small)
