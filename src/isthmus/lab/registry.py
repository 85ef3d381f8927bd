"""The experiments, in the lecture's order."""

from __future__ import annotations

from isthmus.errors import SettingError, nearest
from isthmus.lab.convolution import CONVOLUTION
from isthmus.lab.convolutional import CONVOLUTIONAL
from isthmus.lab.disentangling import DISENTANGLING
from isthmus.lab.experiment import Experiment
from isthmus.lab.feature_visualisation import FEATURE_VISUALISATION
from isthmus.lab.imagenet_era import IMAGENET_ERA
from isthmus.lab.linear_pca import LINEAR_PCA
from isthmus.lab.multilevel import MULTILEVEL
from isthmus.lab.variational import VARIATIONAL

EXPERIMENTS: tuple[Experiment, ...] = (
    CONVOLUTION,
    IMAGENET_ERA,
    FEATURE_VISUALISATION,
    LINEAR_PCA,
    VARIATIONAL,
    DISENTANGLING,
    MULTILEVEL,
    CONVOLUTIONAL,
)


def find(name: str) -> Experiment:
    """The experiment of that name.

    Raises
    ------
    SettingError
        Where there is none, with the nearest name.
    """
    known = {experiment.name: experiment for experiment in EXPERIMENTS}
    if name not in known:
        raise SettingError(f"no experiment called {name!r}", "in the lab", hint=nearest(name, known))
    return known[name]
