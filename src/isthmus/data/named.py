"""The named sets: a row of the table below and a function each."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isqrt, prod
from pathlib import Path
from types import ModuleType

import numpy as np

from isthmus.data import characters, faces, photos, shapes, sprites, variants
from isthmus.data.arrays import as_labels, as_rows
from isthmus.data.dataset import Dataset, Labels, Rows
from isthmus.data.folders import folder_of, local
from isthmus.data.hosts import HOSTS, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from isthmus.data.idx import read_idx
from isthmus.data.numpy_files import read_numpy
from isthmus.data.whitening import whitened
from isthmus.errors import DataError

PATCH = 10  # pixels a side
_PATCHES = 10_000
_NATURAL = 100_000
_CHARACTERS = 5_000
_FACES = 2_000
_SEED = 20260101
_MNIST_SHAPE = (1, 28, 28)
_VARIANT = "mnist-"
_VARIANT_ROWS = (12_000, 50_000)  # to train on, Larochelle's 10,000 and the 2,000 to choose settings by, and to test
_EMBEDDED = ("astronaut", "brick", "camera", "chelsea", "coffee", "grass")  # photos that scikit-image brings with it
_BORDER = 8  # pixels of a whitened photo that are not used: it was taken to begin anew there


@dataclass(frozen=True)
class SetInfo:
    """What `isthmus data list` says of a named set.

    Attributes
    ----------
    name : str
    rows, test_rows, columns : int
        `test_rows` is 0 where the set has none of its own.
    source, licence : str
    download : bool
        The set comes from `ISTHMUS_DATA`, or is downloaded on first use, where there is a place to download it from.
    present : bool
        It can be loaded without a download.
    """

    name: str
    rows: int
    test_rows: int
    columns: int
    source: str
    licence: str
    download: bool = False
    present: bool = True


_UCI = "CC BY 4.0 (UCI repository)"
_SETS = (
    SetInfo("digits", 1797, 0, 64, "scikit-learn: Alpaydin and Kaynak 1998, 8 × 8 scans of digits, 0 to 16", _UCI),
    SetInfo("wine", 178, 0, 13, "scikit-learn: Aeberhard and Forina 1992, chemical analyses of three wines", _UCI),
    SetInfo("breast-cancer", 569, 0, 30, "scikit-learn: Wolberg and others 1995, Wisconsin diagnostic", _UCI),
    SetInfo("iris", 150, 0, 4, "scikit-learn: Fisher 1936, four measures of three irises", _UCI),
    SetInfo(
        "photo-patches",
        _PATCHES,
        0,
        PATCH * PATCH,
        "scikit-learn: gray patches of the photos china.jpg (danielbuechele) and flower.jpg (vultilion)",
        "CC BY 2.0",
    ),
    SetInfo(
        "whitened-patches",
        _PATCHES,
        0,
        PATCH * PATCH,
        f"scikit-image: gray patches of {', '.join(_EMBEDDED)}, whitened as Olshausen and Field did",
        "public domain, CC0",
    ),
    SetInfo(
        "characters", _CHARACTERS, 0, characters.SIDE**2, "generated: ten letters in known styles, 16 × 16", "CC0 1.0"
    ),
    SetInfo("faces", _FACES, 0, 3 * faces.SIDE**2, "generated: two talking faces, 32 × 32 in colour", "CC0 1.0"),
    SetInfo("shapes", prod(shapes.LEVELS), 0, shapes.SIDE**2, "generated: three shapes, 16 × 16", "CC0 1.0"),
    SetInfo("mnist", 60_000, 10_000, 784, "LeCun and others 1998, 28 × 28 digits", "CC BY-SA 3.0", download=True),
    *(
        SetInfo(
            f"mnist-{name}",
            *_VARIANT_ROWS,
            784,
            f"MNIST {how}, regenerated after Larochelle and others 2007",
            licence,
            download=True,
        )
        for name, how, licence in (
            ("rot", "turned by any angle", "CC BY-SA 3.0"),
            ("bg-rand", "on random pixels", "CC BY-SA 3.0"),
            ("bg-img", "on patches of scikit-learn's two photos", "CC BY-SA 3.0, photos CC BY 2.0"),
        )
    ),
    SetInfo("fashion-mnist", 60_000, 10_000, 784, "Xiao and others 2017, 28 × 28 clothes", "MIT", download=True),
    SetInfo(
        "kmnist", 60_000, 10_000, 784, "Clanuwat and others 2018, 28 × 28 kuzushiji", "CC BY-SA 4.0", download=True
    ),
    SetInfo(
        "pbmc",
        700,
        0,
        765,
        "10x Genomics (Zheng and others 2017), PBMC 68k as scanpy reduces it: counts of 765 genes in 700 blood cells",
        "as scanpy's sample",
        download=True,
    ),
    SetInfo(
        "natural-patches",
        _NATURAL,
        0,
        PATCH * PATCH,
        "gray patches of the photos in the folder `natural`, whitened as Olshausen and Field did",
        "as its files say",
        download=True,
    ),
    SetInfo(
        "dsprites",
        sprites.ROWS,
        0,
        64 * 64,
        "Matthey and others 2017, 64 × 64 sprites, drawn at random from the 737,280",
        "as its files say",
        download=True,
    ),
)
NAMES: tuple[str, ...] = tuple(info.name for info in _SETS)


def describe_sets() -> list[SetInfo]:
    """The table of the named sets, with what is present on this machine; loads nothing."""
    return [replace(info, present=_is_present(info)) for info in _SETS]


def load_named(name: str) -> Dataset:
    """Load one of `NAMES`.

    Raises
    ------
    DataError
        A damaged file, a failed download, an optional package that is not installed.
    """
    source = next(info.source for info in _SETS if info.name == name)
    return replace(_LOADERS[name](name), source=source)


def _is_present(info: SetInfo) -> bool:
    if info.name in _FILES:
        return _FILES[info.name]().exists()
    if info.name.startswith(_VARIANT):
        return all(local(folder_of("mnist"), file) for file in HOSTS["mnist"].sha256)
    if info.download:
        return all(local(folder_of(info.name), file) for file in HOSTS[info.name].sha256)
    return all(importlib.util.find_spec(package) is not None for package in _NEEDED.get(info.name, ()))


def _digits(name: str) -> Dataset:
    """8 × 8 counts of dark pixels in 4 × 4 blocks, 0 to 16."""
    bunch = _sklearn_datasets().load_digits()
    return Dataset(name, bunch.data.astype(np.float32), bunch.target.astype(np.int64), input_shape=(1, 8, 8))


def _table(name: str) -> Dataset:
    datasets = _sklearn_datasets()
    loaders = {"wine": datasets.load_wine, "iris": datasets.load_iris, "breast-cancer": datasets.load_breast_cancer}
    bunch = loaders[name]()
    return Dataset(name, bunch.data, bunch.target.astype(np.int64), tuple(map(str, bunch.feature_names)))


def _photo_patches(name: str) -> Dataset:
    """Patches at random places of the two photos, as many of each, in [0, 1]; the same ones every time."""
    return _patches(name, _photos(), _PATCHES)


def _whitened_patches(name: str) -> Dataset:
    """As many of each photo, the same ones every time; of a photo the mean is 0 and the deviation 1."""
    whole = photos.bundled("skimage")
    return _patches(name, [whitened(whole[photo]) for photo in _EMBEDDED], _PATCHES, _BORDER)


def _natural_patches(name: str) -> Dataset:
    """As many of each photo, the same ones every time; of a photo the mean is 0 and the deviation 1."""
    return _patches(name, [whitened(photo) for photo in photos.read_photos("natural").values()], _NATURAL, _BORDER)


def _patches(name: str, whole: list[photos.Photo], count: int, margin: int = 0) -> Dataset:
    X = photos.patches(whole, count, PATCH, np.random.default_rng(_SEED), margin)
    return Dataset(name, X, input_shape=(1, PATCH, PATCH))


def _photos() -> list[photos.Photo]:
    """Scikit-learn's two photos in gray, in [0, 1]."""
    return [photo / 255 for photo in photos.bundled("sklearn").values()]


def _characters(name: str) -> Dataset:
    """The letter is the label; its style is given by `characters.generate`."""
    made = characters.generate(_CHARACTERS, _SEED)
    return Dataset(name, made.X, made.content, input_shape=(1, characters.SIDE, characters.SIDE))


def _faces(name: str) -> Dataset:
    """As many of each person, who is the label; expressions are given by `faces.generate`."""
    each = _FACES // len(faces.IDENTITIES)
    X = np.concatenate([faces.generate(each, who, random_state=i)[0] for i, who in enumerate(faces.IDENTITIES)])
    y = np.repeat(np.arange(len(faces.IDENTITIES), dtype=np.int64), each)
    order = np.random.default_rng(_SEED).permutation(len(X))
    return Dataset(name, X[order], y[order], input_shape=(3, faces.SIDE, faces.SIDE))


def _mnist_like(name: str) -> Dataset:
    """Pixels divided by 255, in [0, 1]; the set's own test rows stay apart."""
    X, y = _split(name, TRAIN_IMAGES, TRAIN_LABELS)
    X_test, y_test = _split(name, TEST_IMAGES, TEST_LABELS)
    return Dataset(name, X, y, input_shape=_MNIST_SHAPE, X_test=X_test, y_test=y_test)


def _mnist_variant(name: str) -> Dataset:
    """62,000 of MNIST's digits, changed: others are trained on than are tested; the same ones every time."""
    plain, kind = _mnist_like("mnist"), name.removeprefix(_VARIANT)
    X = np.concatenate([plain.X, plain.X_test]).reshape(-1, *_MNIST_SHAPE[1:])
    y = np.concatenate([plain.y, plain.y_test])
    rng = np.random.default_rng([_SEED, list(variants.VARIANTS).index(kind)])
    order = rng.permutation(len(X))[: sum(_VARIANT_ROWS)]
    behind = _photos() if kind == "bg-img" else []
    changed, y = variants.VARIANTS[kind](X[order], behind, rng).reshape(len(order), -1), y[order]
    train, test = slice(_VARIANT_ROWS[0]), slice(_VARIANT_ROWS[0], None)
    return Dataset(name, changed[train], y[train], input_shape=_MNIST_SHAPE, X_test=changed[test], y_test=y[test])


def _pbmc(name: str) -> Dataset:
    """Whole numbers, most of them 0; the cells' types are not known."""
    path = _pbmc_file()
    if not path.is_file():
        raise DataError(
            "the counts are not there",
            f"at {path}",
            "expected a sparse matrix as scipy.sparse.save_npz writes it",
            "save the raw counts of scanpy.datasets.pbmc68k_reduced() there",
        )
    return replace(read_numpy(path), name=name)


def _pbmc_file() -> Path:
    return folder_of("singlecell") / "10x_pbmc68k_reduced_counts.npz"


def _shapes(name: str) -> Dataset:
    """Every combination of the factors once, labelled by the shape; `shapes.generate` gives the other factors too."""
    X, factors = shapes.generate()
    return Dataset(name, X, factors[:, 0], input_shape=(1, shapes.SIDE, shapes.SIDE))


def _dsprites(name: str) -> Dataset:
    """The same rows every time, labelled by the shape; `sprites.read_sprites` gives all rows and the other factors."""
    path = sprites_file()
    if not path.is_file():
        raise DataError(
            "the file of dSprites is not there",
            f"at {path}",
            "expected the npz file as published",
            "put it there, from github.com/google-deepmind/dsprites-dataset",
        )
    X, factors = sprites.read_sprites(path, sprites.ROWS)
    side = isqrt(X.shape[1])
    return Dataset(name, X, factors[:, 0], input_shape=(1, side, side))


def sprites_file() -> Path:
    """Where the file of dSprites lies, if it is there."""
    return folder_of("dsprites") / sprites.FILE


def _split(name: str, images: str, labels: str) -> tuple[Rows, Labels]:
    image_path, label_path = (_have(name, file) for file in (images, labels))
    X, shape = as_rows(read_idx(image_path), f"in {image_path}")
    if shape != _MNIST_SHAPE:
        raise DataError(
            f"rows of shape {shape}",
            f"in {image_path}",
            f"expected {_MNIST_SHAPE}",
            f"fetch the files of {name} again",
        )
    return X, as_labels(read_idx(label_path), len(X), f"in {label_path}")


def _have(name: str, file: str) -> Path:
    from isthmus.data.download import fetch

    folder = folder_of(name)
    return local(folder, file) or fetch(HOSTS[name], file, folder)


def _sklearn_datasets() -> ModuleType:
    from sklearn import datasets

    return datasets


_LOADERS: dict[str, Callable[[str], Dataset]] = {
    "digits": _digits,
    "wine": _table,
    "breast-cancer": _table,
    "iris": _table,
    "photo-patches": _photo_patches,
    "whitened-patches": _whitened_patches,
    "characters": _characters,
    "faces": _faces,
    "shapes": _shapes,
    "mnist": _mnist_like,
    **{f"{_VARIANT}{kind}": _mnist_variant for kind in variants.VARIANTS},
    "fashion-mnist": _mnist_like,
    "kmnist": _mnist_like,
    "pbmc": _pbmc,
    "natural-patches": _natural_patches,
    "dsprites": _dsprites,
}
_NEEDED = {"photo-patches": ("PIL",), "whitened-patches": ("skimage", "PIL")}  # packages, beside those of the core
_FILES: dict[str, Callable[[], Path]] = {  # not downloaded
    "pbmc": _pbmc_file,
    "natural-patches": lambda: folder_of("natural"),
    "dsprites": sprites_file,
}
