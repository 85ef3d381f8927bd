"""Measures of projections against closed forms, and where what is projected is wrong on purpose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from isthmus import seeing
from isthmus.evidence import projections
from isthmus.nn.stack import stack
from isthmus.seeing import Patch


@pytest.fixture(scope="module")
def looked():
    """A random network, pictures with a bright square somewhere, and its second level."""
    rng = np.random.default_rng(0)
    X = 0.1 * rng.normal(size=(60, 1, 8, 8)).astype(np.float32)
    for row, (down, across) in zip(X, rng.integers(6, size=(60, 2)), strict=True):
        row[:, down : down + 3, across : across + 3] += 1
    network = stack((1, 8, 8), 3, (6, 8), (1,), seed=0)
    return network, X, projections.level(network, "4", X, 4)


def test_a_level_has_the_strongest_of_each_unit(looked):
    network, X, level = looked
    found = seeing.activations(network, "4", X)
    assert level.projections.shape == (len(level.rows), 1, 8, 8) == (36, 1, 8, 8)
    for i in range(len(level.rows)):
        value = found[(level.rows[i], level.units[i], *level.places[i])]
        assert value == found[level.rows[i], level.units[i]].max() > 0
        outside = np.ones((1, 8, 8), dtype=bool)
        outside[(slice(None), *level.boxes[i])] = False
        assert not level.projections[i][outside].any()  # nothing comes from what the place does not see
    assert level.extent == pytest.approx(np.mean([b.stop - b.start for box in level.boxes for b in box]))


def test_the_way_back_is_the_adjoint_and_another_is_seen(looked, monkeypatch):
    network, X, _ = looked
    for kind in (nn.Conv2d, nn.MaxPool2d):
        assert projections.mismatch(network, kind, X[:8], np.random.default_rng(0)) < 1e-12
    assert projections.mismatch(network, nn.BatchNorm2d, X[:8], np.random.default_rng(0)) == 0
    pull = seeing.pull
    monkeypatch.setattr(seeing, "pull", lambda *args: 1.01 * pull(*args))
    for kind in (nn.Conv2d, nn.MaxPool2d):
        assert projections.mismatch(network, kind, X[:8], np.random.default_rng(0)) > 1e-6


def test_true_projections_are_worth_more_than_those_of_others(looked):
    network, X, level = looked
    found = projections.worth(network, [level, level], X, Patch(2), np.random.default_rng(0))
    assert list(found) == ["adjoint_conv", "adjoint_pool", "likeness", "fed_back", "occlusion"]
    wrong = replace(level, projections=-np.roll(level.projections, 17, axis=0))
    made_up = projections.worth(network, [wrong, wrong], X, Patch(2), np.random.default_rng(0))
    assert found["fed_back"] > 0.9 > made_up["fed_back"]
    assert found["likeness"] > made_up["likeness"]
    flat = replace(level, projections=np.ones_like(level.projections))
    assert found["occlusion"] > 0.05 > projections.agreement(network, flat, X, Patch(2)) == 0


def test_a_patch_that_is_its_own_projection_is_alike(looked):
    _, X, level = looked
    itself = replace(level, projections=X[level.rows])
    assert 0.5 < projections.likeness(itself, X, np.random.default_rng(0)) <= 1
    assert projections.likeness(itself, X[:1].repeat(60, axis=0), np.random.default_rng(0)) == pytest.approx(0)


def test_a_sheet_has_patches_beside_projections(looked):
    _, X, level = looked
    sheet = projections.sheet(level, X, 2)
    block = 3 * 24 + 2 * 2
    assert sheet.shape == (2 * block + 8, 2 * block + 8)
    assert 0 <= sheet.min() < sheet.max() <= 1


def test_bits_and_correlations():
    assert projections.bits(np.array([3, 3, 3])) == 0
    assert projections.bits(np.arange(8)) == pytest.approx(3)
    a, b = np.random.default_rng(0).normal(size=(2, 50))
    assert projections.correlation(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert projections.correlation(a, np.ones(50)) == 0


def test_class_bits_are_those_of_the_strongest(looked):
    network, X, _ = looked
    assert projections.class_bits(network, "4", X, np.zeros(60)) == 0
    best = projections.alive(seeing.strongest(network, "4", X))
    y = np.arange(60) % 2
    wanted = [-sum(p * np.log2(p) for p in (y[rows].mean(), 1 - y[rows].mean()) if p) for rows in best.rows]
    assert projections.class_bits(network, "4", X, y) == pytest.approx(np.mean(wanted))


@pytest.mark.parametrize(("pooled", "inputs"), [((2,), 64 * 14 * 14), ((1, 2), 64 * 7 * 7)])
def test_a_stack_fits_the_pictures_and_its_weights_depend_on_the_seed_alone(pooled, inputs):
    one, same, other = (stack((1, 28, 28), 10, (16, 32, 64), pooled, seed=seed) for seed in (0, 0, 1))
    assert one[-1].in_features == inputs
    assert one(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert sum(isinstance(layer, nn.ReLU) for layer in one) == 3
    assert torch.equal(one[0].weight, same[0].weight)
    assert not torch.equal(one[0].weight, other[0].weight)
