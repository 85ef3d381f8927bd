"""What only a GPU can show: `make test-gpu`. Each compares with the same on the CPU, or with the eager step."""

import numpy as np
import pytest
import torch
from members import KINDS, rows, small
from sklearn.base import clone

from isthmus import Classifier, Regressor, decoders, zoo
from isthmus.populations import fit_together

METHODS = ("transform", "reconstruct", "score_samples")
SETTINGS = {"max_epochs": 12, "batch_size": 16}
DRAWING = ("denoising", "variational", "mixture", "vq")  # kinds that draw noise or rows
GROUPS = np.arange(101) % 4


@pytest.fixture(autouse=True)
def _gpu():
    if not torch.cuda.is_available():
        pytest.fail("these tests need a GPU")


def history(ae, name="loss"):
    return [row[name] for row in ae.history_]


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_trains_as_the_eager_step_does(kind):
    eager, graph = (
        small(kind, device="cuda", engine=engine, **SETTINGS).fit(rows(n=101)) for engine in ("eager", "auto")
    )
    assert eager.engine_ == "eager"
    assert graph.engine_.startswith("one CUDA graph of "), graph.engine_
    assert history(graph) == pytest.approx(history(eager), rel=1e-6)
    for p, q in zip(graph.module_.parameters(), eager.module_.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bits(kind):
    first, second = (small(kind, device="cuda", **SETTINGS).fit(rows(n=101)) for _ in range(2))
    assert history(first) == history(second)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in DRAWING])
def test_trained_on_a_gpu_as_on_the_cpu(kind):
    """Where nothing is drawn but the order: all rows at once."""
    settings = SETTINGS | {"batch_size": None, "validation_fraction": 0.0}
    gpu, cpu = (small(kind, device=device, **settings).fit(rows(n=101)) for device in ("cuda", "cpu"))
    assert history(gpu) == pytest.approx(history(cpu), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_population_on_a_gpu_is_its_members_alone(kind):
    X = rows(n=101)
    together = [
        small(kind, device="cuda", random_state=seed, learning_rate=1e-3 * (seed + 1), **SETTINGS) for seed in range(3)
    ]
    assert fit_together(together, X) == [None] * 3
    for seed, ae in enumerate(together):
        alone = small(kind, device="cuda", random_state=seed, learning_rate=1e-3 * (seed + 1), **SETTINGS).fit(X)
        assert history(ae) == pytest.approx(history(alone), rel=1e-6)


@pytest.mark.parametrize("decoder", [None, decoders.PerGroup(), decoders.Conditional()], ids=repr)
def test_groups_are_heard_on_a_gpu(decoder):
    ae = zoo.multilevel(4, content=2, hidden=(8,), decoder=decoder, device="cuda", random_state=0, **SETTINGS)
    eager, graph = (clone(ae).set_params(engine=engine).fit(rows(n=101), groups=GROUPS) for engine in ("eager", "auto"))
    assert graph.engine_.startswith("one CUDA graph of "), graph.engine_
    assert history(graph) == pytest.approx(history(eager), rel=1e-6)
    on_gpu = graph.reconstruct(rows(n=101), GROUPS)
    graph.module_.cpu()
    np.testing.assert_allclose(on_gpu, graph.reconstruct(rows(n=101), GROUPS), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_classifier_trains_as_on_the_cpu(optimizer):
    settings = SETTINGS | {"batch_size": None, "validation_fraction": 0.0, "optimizer": optimizer, "momentum": 0.9}
    gpu, cpu = (
        Classifier(device=device, random_state=0, **settings).fit(rows(n=101), GROUPS) for device in ("cuda", "cpu")
    )
    assert history(gpu) == pytest.approx(history(cpu), rel=1e-6)


def test_a_regressor_trains_as_on_the_cpu():
    X, settings = rows(n=101), SETTINGS | {"batch_size": None, "validation_fraction": 0.0}
    gpu, cpu = (Regressor(device=device, random_state=0, **settings).fit(X, X[:, :2]) for device in ("cuda", "cpu"))
    assert history(gpu) == pytest.approx(history(cpu), rel=1e-6)
    np.testing.assert_allclose(gpu.predict(X), cpu.predict(X), rtol=1e-6)


@pytest.mark.parametrize("kind", ["undercomplete", "contractive", "topk"])
def test_bfloat16_trains_about_as_well(kind):
    X = rows(n=400, dtype=np.float32)
    full, half = (small(kind, device="cuda", dtype=dtype, max_epochs=60).fit(X) for dtype in ("float32", "bfloat16"))
    assert half.module_.encoder.dense[0].weight.dtype == torch.float32
    assert half.score(X) == pytest.approx(full.score(X), abs=0.05)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
def test_inference_on_a_gpu_as_on_the_cpu(dtype, method):
    X = rows(n=121, dtype=dtype)
    ae = small("undercomplete", device="cuda").fit(X)
    on_gpu = getattr(ae, method)(X)
    ae.module_.cpu()
    np.testing.assert_allclose(on_gpu, getattr(ae, method)(X), rtol=1e-3 if dtype == np.float32 else 1e-8, atol=1e-4)
