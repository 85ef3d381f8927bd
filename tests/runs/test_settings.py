"""Texts to values to estimators."""

from __future__ import annotations

import pytest

from isthmus import codes, corruptions, likelihoods, penalties
from isthmus.runs import build, parse_assignments, parse_grid


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-0.5", -0.5),
        ("1e-3", 1e-3),
        ("512,256", (512, 256)),
        ("512,", (512,)),
        ("none", None),
        ("None", None),
        ("true", True),
        ("FALSE", False),
        ("global", "global"),
        ("cuda:0", "cuda:0"),
        ("", ""),
        ("a=b", "a=b"),
    ],
)
def test_values(text, value):
    assert parse_assignments([f"name={text}"]) == {"name": value}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("penalty.strength=0.01,0.1,1", [0.01, 0.1, 1]),
        ("penalty.strength=0.1;1", [0.1, 1]),
        ("max_epochs=5", [5]),
        ("max_epochs=5,", [5]),
        ("penalty=none,kl", [None, "kl"]),
        ("device=cuda:0", ["cuda:0"]),
        ("hidden=512,256", [(512, 256)]),
        ("hidden=512,256;128", [(512, 256), 128]),
        ("hidden=512,;128,64;", [(512,), (128, 64)]),
        ("encoder.hidden=8,4;2", [(8, 4), 2]),
        ("input_shape=1,28,28", [(1, 28, 28)]),
        ("x=a,b;c", [("a", "b"), "c"]),
        ("x=", [""]),
    ],
)
def test_values_to_try(text, values):
    assert parse_grid([text]) == {text.partition("=")[0]: values}


def test_own_arguments_parameters_and_parts():
    ae = build(
        "denoising",
        5,
        parse_assignments(["hidden=64", "noise=masking", "amount=0.5", "corruption.score=hidden", "scaling=global"]),
        seed=7,
        input_shape=(1, 2, 3),
    )
    assert ae.encoder.hidden == (64,)
    assert ae.corruption == corruptions.Masking(0.5, "hidden")
    assert (ae.code_size, ae.scaling, ae.random_state, ae.input_shape) == (5, "global", 7, (1, 2, 3))


def test_parts_by_name_come_before_what_is_set_of_them():
    settings = parse_assignments(
        ["penalty.strength=0.5", "penalty=contraction", "likelihood=bernoulli", "code=topk", "code.k=3", "encoder=mlp"]
    )
    ae = build("linear", 8, settings | {"encoder.hidden": 9})
    assert ae.penalty == penalties.Contraction(0.5)
    assert ae.likelihood == likelihoods.Bernoulli()
    assert ae.code == codes.TopK(3)
    assert ae.encoder.hidden == (9,)


def test_none_takes_a_part_away():
    assert build("sparse", settings={"penalty": None}).penalty is None


def test_one_number_makes_a_shape():
    assert build("linear", settings={"input_shape": 5}).input_shape == (5,)
