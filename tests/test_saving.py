"""What is saved comes back bit by bit; what is damaged, foreign or hostile is one line, and none of it is executed."""

import copy
import json
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from members import ALONE, KINDS, Convolution, as_rows_need, as_supported, rows, small
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from torch import nn

from isthmus import AnomalyDetector, Autoencoder, codes, encoders, load
from isthmus._spec import family
from isthmus.errors import DataError, RunError, SettingError
from isthmus.loading import MODULES, READERS


def saved(tmp_path, ae=None):
    (ae or small("sparse").fit(rows())).save(tmp_path / "model")
    return tmp_path / "model"


def refused(folder, **parts):
    with pytest.raises((RunError, SettingError)) as caught:
        load(folder, **parts)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_loading_gives_the_same_bits(kind, dtype, tmp_path):
    X = rows(dtype=dtype)
    ae = small(kind).fit(X)
    again = load(saved(tmp_path, ae))
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json", "model.safetensors"]
    for method in ("transform", "reconstruct", "score_samples", "score", "jacobian"):
        assert np.array_equal(getattr(ae, method)(X), getattr(again, method)(X))
    assert np.array_equal(ae.untrained().transform(X), again.untrained().transform(X))
    assert again.get_params() == ae.get_params()
    assert again.history_ == ae.history_
    assert (again.n_iter_, again.stopped_, again.seed_, again.n_train_) == (3, "max_epochs", 0, ae.n_train_)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))], ids=["copy", "pickle"])  # noqa: S301
@pytest.mark.parametrize("kind", KINDS)
def test_copies_give_the_same_bits_and_train_alike(kind, copied):
    ae = small(kind).fit(rows()).partial_fit(rows())
    twin = copied(ae)
    assert np.array_equal(ae.transform(rows()), twin.transform(rows()))
    before = ae.transform(rows())
    twin.partial_fit(rows())
    assert np.array_equal(ae.transform(rows()), before)
    assert np.array_equal(ae.partial_fit(rows()).transform(rows()), twin.transform(rows()))


def test_a_copy_keeps_its_own_good_weights():
    """A divergence after a pickle puts back the copy's weights, not the original's."""
    ae = small("linear", dtype="float32").partial_fit(rows())
    twin = pickle.loads(pickle.dumps(ae))  # noqa: S301
    twin.partial_fit(rows())
    with pytest.raises(ValueError, match=r"^the term 'reconstruction' of the loss is not finite"):
        twin.partial_fit(rows() * 1e30)
    assert np.isfinite(twin.transform(rows())).all()


def test_joblib_and_clone(tmp_path):
    ae = small("variational").fit(rows())
    joblib.dump(ae, tmp_path / "ae.joblib")
    assert np.array_equal(joblib.load(tmp_path / "ae.joblib").transform(rows()), ae.transform(rows()))
    assert not hasattr(clone(ae), "module_")


@pytest.mark.parametrize("spec", ALONE, ids=repr)
def test_every_specification_is_saved(spec, tmp_path):
    slot = {"codes": "code", "penalties": "penalty"}.get(family(spec))
    slot = slot or family(spec).removesuffix("s")
    needs = {"KL": codes.Activation(), "Sum": codes.Activation(), "Divergence": codes.Gaussian()}
    needs |= {"Commitment": codes.VectorQuantised(5), "TotalCorrelation": codes.Gaussian(), "DIP": codes.Gaussian()}
    settings = {"code": needs[type(spec).__name__]} if type(spec).__name__ in needs else {}
    settings |= as_rows_need(spec)
    X = as_supported(spec, rows())
    ae = Autoencoder(4, **settings | {slot: spec}, max_epochs=1, random_state=0).fit(X)
    again = load(saved(tmp_path, ae))
    assert getattr(again, slot) == spec
    for method in ("transform", "reconstruct"):
        assert np.array_equal(getattr(ae, method)(X), getattr(again, method)(X))


def test_names_of_columns_are_saved(tmp_path):
    frame = pd.DataFrame(rows(), columns=list("abcdef"))
    again = load(saved(tmp_path, small("linear").fit(frame)))
    assert again.feature_names_in_.tolist() == list("abcdef")
    again.transform(frame)


def test_settings_of_numpy_are_saved(tmp_path):
    ae = small("undercomplete", encoder=encoders.MLP((np.int64(5), np.int64(4))), input_shape=(np.int64(6),))
    ae.set_params(learning_rate=np.float64(0.01), random_state=np.int64(3), schedule=np.str_("constant"))
    again = load(saved(tmp_path, ae.fit(rows())))
    assert again.encoder == encoders.MLP((5, 4))
    assert again.input_shape == (6,)


@pytest.mark.parametrize(
    "settings", [{"dtype": torch.float32}, {"random_state": np.random.RandomState(0)}], ids=["dtype", "random_state"]
)
def test_settings_that_are_no_json(settings, tmp_path):
    ae = small("linear", **settings).fit(rows())
    assert np.array_equal(load(saved(tmp_path, ae)).transform(rows()), ae.transform(rows()))


class Net(nn.Module):
    """A user's encoder, some of whose tensors are one."""

    def __init__(self, inputs=6, outputs=2):
        super().__init__()
        self.one = nn.Linear(inputs, outputs)
        self.two = self.one

    def forward(self, x):
        return self.one(x) + self.two(x)


def test_networks_of_ones_own_are_passed_by_slot(tmp_path):
    for given in (Net(), Net):
        ae = small("linear", encoder=given).fit(rows())
        folder = saved(tmp_path, ae)
        assert np.array_equal(load(folder, encoder=Net()).transform(rows()), ae.transform(rows()))
        assert str(refused(folder)) == (
            "the encoder of this model is a network of your own (Net); in the slot encoder; "
            "pass it again: load(folder, encoder=...)"
        )
    assert str(refused(folder, encodr=Net())) == "no slot called 'encodr'; in load; did you mean 'encoder'?"
    assert "do not fit" in str(refused(folder, encoder=nn.Linear(6, 2)))


def test_networks_of_images(tmp_path):
    X = np.random.default_rng(0).uniform(size=(40, 16))
    ae = Autoencoder(3, encoder=Convolution, input_shape=(1, 4, 4), max_epochs=1, random_state=0).fit(X)
    again = load(saved(tmp_path, ae), encoder=Convolution)
    assert np.array_equal(ae.transform(X), again.transform(X))


def test_a_loaded_model_can_go_on(tmp_path):
    again = load(saved(tmp_path))
    again.partial_fit(rows())
    assert (again.n_iter_, len(again.history_)) == (4, 4)
    assert again.fit(rows()).n_iter_ == 3


def test_a_detector_comes_back(tmp_path):
    frame = pd.DataFrame(rows(), columns=list("abcdef"))
    detector = AnomalyDetector(small("undercomplete"), contamination=0.1, marginal=0.5).fit(frame)
    again = load(saved(tmp_path, detector))
    assert isinstance(again, AnomalyDetector)
    assert np.array_equal(detector.score_samples(frame), again.score_samples(frame))
    assert np.array_equal(detector.predict(frame), again.predict(frame))
    assert (again.contamination, again.marginal, again.n_features_in_) == (0.1, 0.5, 6)
    assert again.feature_names_in_.tolist() == list("abcdef")


def edit(folder, path, value):
    """Put a value into config.json, at a path of keys."""
    config = json.loads((folder / "config.json").read_text())
    *inner, last = path
    place = config
    for key in inner:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    (folder / "config.json").write_text(json.dumps(config))


FILES = {
    "no config": (lambda f: (f / "config.json").unlink(), "no config.json"),
    "no tensors": (lambda f: (f / "model.safetensors").unlink(), "no model.safetensors"),
    "empty config": (lambda f: (f / "config.json").write_text(""), "config.json cannot be read"),
    "half a config": (
        lambda f: (f / "config.json").write_text((f / "config.json").read_text()[:99]),
        "config.json cannot be read",
    ),
    "bytes": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"), "config.json cannot be read"),
    "depth": (lambda f: (f / "config.json").write_text("[" * 100000), "config.json cannot be read"),
    "a list": (lambda f: (f / "config.json").write_text("[1, 2]"), "config.json is not of this program"),
    "foreign": (
        lambda f: (f / "config.json").write_text('{"model_type": "bert"}'),
        "config.json is not of this program",
    ),
    "half the tensors": (
        lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:300]),
        "model.safetensors is damaged",
    ),
    "no tensors at all": (
        lambda f: save_file({}, f / "model.safetensors"),
        "config.json and model.safetensors do not fit",
    ),
    "a pickle": (lambda f: torch.save({"x": 1}, f / "model.safetensors"), "model.safetensors is damaged"),
}


@pytest.mark.parametrize(("damage", "what"), FILES.values(), ids=FILES)
def test_damaged_files(damage, what, tmp_path):
    folder = saved(tmp_path)
    damage(folder)
    error = refused(folder)
    assert isinstance(error, RunError)
    assert error.what.startswith(what)
    assert str(folder) in str(error)


ENTRIES = [
    (["format"], 99),
    (["estimator"], "os.system"),
    (["estimator"], []),
    (["params"], [1]),
    (["params"], None),
    (["params", "code_size"], "eight"),
    (["params", "code_size"], -1),
    (["params", "epochs"], 3),
    (["params", "encoder"], {"part": "encoders.Missing", "params": {}}),
    (["params", "encoder"], {"part": "penalties.Parts", "params": {}}),
    (["params", "encoder"], {"part": "os.system", "params": {"command": "true"}}),
    (["params", "encoder"], {"part": "encoders.Perceptron", "params": {"widths": [6, 6], "activation": "relu"}}),
    (["params", "encoder"], {"part": "codes.TopK", "params": {"k": 1}}),
    (["params", "encoder"], {"part": "encoders.MLP", "params": {"hiden": [3]}}),
    (["params", "encoder"], {"part": 3, "params": {}}),
    (["params", "encoder"], {"part": "encoders.Spec", "params": {}}),
    (["params", "encoder"], "__import__('os')"),
    (["built"], None),
    (["built"], 3),
    (["built", "code_size"], "six"),
    (["built", "code_size"], 7),
    (["built", "code_size"], -7),
    (["built", "code_size"], 10**30),
    (["built", "input_shape"], "abc"),
    (["built", "slots"], []),
    (["built", "slots", "encoder"], {"part": "likelihoods.nn", "params": {}}),
    (["built", "slots", "encoder"], {"part": "penalties.Sum", "params": {"terms": 3}}),
    (["built", "slots", "penalty"], {"part": "penalties.KL", "params": {"rho": "x", "strength": 1}}),
    (["built", "slots", "code"], {"part": "codes.Plain", "params": {}}),
    (["learned"], [3]),
    (["learned", "seed_"], "abc"),
    (["learned", "seed_"], None),
    (["learned", "n_features_in_"], 5),
    (["learned", "n_features_in_"], None),
]


@pytest.mark.parametrize(("path", "value"), ENTRIES, ids=lambda v: repr(v)[:40])
def test_entries_of_the_wrong_kind(path, value, tmp_path):
    folder = saved(tmp_path)
    edit(folder, path, value)
    refused(folder)


def test_the_message_names_the_misfit(tmp_path):
    folder = saved(tmp_path)
    edit(folder, ["params", "encoder"], {"part": "penalties.Parts", "params": {}})
    assert str(refused(folder)) == (
        f"config.json and model.safetensors do not fit ('penalties.Parts'); in {folder}; train again"
    )
    edit(folder, ["estimator"], "Forest")
    assert str(refused(folder)) == f"no estimator called 'Forest'; {folder}; {' or '.join(READERS)}"


def test_learned_entries_cannot_replace_anything_else(tmp_path):
    folder = saved(tmp_path)
    edit(folder, ["learned", "transform"], "x")
    edit(folder, ["learned", "module_"], "x")
    ae = load(folder)
    assert callable(ae.transform)
    assert isinstance(ae.module_, nn.Module)


TENSORS = {
    "one is missing": lambda t: {k: v for k, v in t.items() if k != "mean"},
    "a weight is missing": lambda t: {k: v for k, v in t.items() if "matrix" not in k},
    "one too many": lambda t: t | {"module.extra": torch.zeros(1)},
    "wrong width": lambda t: t | {"scaler.shift": torch.zeros(3, dtype=torch.float64)},
    "wrong shape": lambda t: t | {"low": torch.zeros(6, 2)},
    "a number": lambda t: t | {"low": torch.zeros(())},
    "a weight of another shape": lambda t: t | {"module.encoder.layers.0.matrix": torch.zeros(2, 2)},
    "no weights": lambda t: {k: v for k, v in t.items() if not k.startswith("module.")},
    "no array of NumPy": lambda t: t | {"mean": torch.zeros(6, dtype=torch.bfloat16)},
}


@pytest.mark.parametrize("change", TENSORS.values(), ids=TENSORS)
def test_tensors_that_do_not_fit(change, tmp_path):
    folder = saved(tmp_path)
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)
    error = refused(folder)
    assert error.what.startswith("config.json and model.safetensors do not fit (")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["detector"], None),
        (["detector"], 3),
        (["detector", "settings", "marginal"], "x"),
        (["detector", "settings", "colour"], 3),
        (["detector", "learned", "offset_"], None),
        (["detector", "learned", "offset_"], "low"),
        (["detector", "learned", "center_"], [1, 2]),
        (["detector", "learned", "spread_"], "abcdef"),
    ],
    ids=lambda v: repr(v)[:40],
)
def test_damaged_detectors(path, value, tmp_path):
    folder = saved(tmp_path, AnomalyDetector(small("linear")).fit(rows()))
    edit(folder, path, value)
    refused(folder)


def test_nothing_is_imported_by_name():
    slots = {"codes", "corruptions", "decoders", "encoders", "likelihoods", "penalties"}
    assert set(MODULES) == slots | {"beyond", "networks", "pretraining", "priors", "stacking", "tangents"}
    assert all(part.__name__.startswith("isthmus.") for part in MODULES.values())


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(RunError) as caught:
        small("linear").fit(rows()).save(tmp_path / "file")
    assert str(caught.value) == f"cannot make the folder (File exists); at {tmp_path / 'file'}; choose another one"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_write_that_fails_leaves_the_model_before(name, tmp_path, monkeypatch):
    folder = saved(tmp_path)
    before = (folder / name).read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes" if name == "model.safetensors" else "pathlib.Path.write_text", full)
    with pytest.raises(DataError) as caught:
        small("sparse", random_state=1).fit(rows()).save(folder)
    assert str(caught.value) == (
        f"no room to write the file; at {folder / name}; nothing was written; free some room or choose another folder"
    )
    assert (folder / name).read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_saving_needs_a_fit(tmp_path):
    with pytest.raises(ValueError, match=r"^This Autoencoder instance is not fitted yet"):
        small("linear").save(tmp_path)
    assert list(tmp_path.iterdir()) == []
