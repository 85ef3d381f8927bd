"""The experiments, in the lecture's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isthmus.errors import SettingError, nearest
from isthmus.lab.alignment import ALIGNMENT
from isthmus.lab.backprop import BACKPROP
from isthmus.lab.classification import CLASSIFICATION
from isthmus.lab.clustering import CLUSTERING
from isthmus.lab.compression import COMPRESSION
from isthmus.lab.contractive import CONTRACTIVE
from isthmus.lab.convolution import CONVOLUTION
from isthmus.lab.convolutional import CONVOLUTIONAL
from isthmus.lab.deepfake import DEEPFAKE
from isthmus.lab.denoising import DENOISING
from isthmus.lab.depth_oscillation import DEPTH_OSCILLATION
from isthmus.lab.disentangling import DISENTANGLING
from isthmus.lab.expansion import EXPANSION
from isthmus.lab.experiment import Experiment
from isthmus.lab.feature_engineering import FEATURE_ENGINEERING
from isthmus.lab.feature_visualisation import FEATURE_VISUALISATION
from isthmus.lab.glm import GLM
from isthmus.lab.imagenet_era import IMAGENET_ERA
from isthmus.lab.linear_pca import LINEAR_PCA
from isthmus.lab.memorisation import MEMORISATION
from isthmus.lab.mitchell import MITCHELL
from isthmus.lab.multilevel import MULTILEVEL
from isthmus.lab.neuron import NEURON
from isthmus.lab.overcomplete import OVERCOMPLETE
from isthmus.lab.perceptron import PERCEPTRON
from isthmus.lab.pretraining import PRETRAINING
from isthmus.lab.rectifier import RECTIFIER
from isthmus.lab.reinforcement import REINFORCEMENT
from isthmus.lab.saturation import SATURATION
from isthmus.lab.sparse import SPARSE
from isthmus.lab.svm import SVM
from isthmus.lab.tangents import TANGENTS
from isthmus.lab.undercomplete import UNDERCOMPLETE
from isthmus.lab.universal_approximation import UNIVERSAL_APPROXIMATION
from isthmus.lab.vanishing_gradients import VANISHING_GRADIENTS
from isthmus.lab.variational import VARIATIONAL
from isthmus.lab.why_now import WHY_NOW
from isthmus.lab.xor import XOR

PARTS: Mapping[str, str] = {"I": "From the neuron to deep networks", "II": "Autoencoders"}
EXPERIMENTS: tuple[Experiment, ...] = (
    NEURON,
    PERCEPTRON,
    GLM,
    BACKPROP,
    EXPANSION,
    SVM,
    XOR,
    UNIVERSAL_APPROXIMATION,
    DEPTH_OSCILLATION,
    VANISHING_GRADIENTS,
    SATURATION,
    RECTIFIER,
    PRETRAINING,
    CONVOLUTION,
    IMAGENET_ERA,
    WHY_NOW,
    FEATURE_ENGINEERING,
    FEATURE_VISUALISATION,
    LINEAR_PCA,
    MITCHELL,
    UNDERCOMPLETE,
    MEMORISATION,
    OVERCOMPLETE,
    CONTRACTIVE,
    TANGENTS,
    SPARSE,
    DENOISING,
    VARIATIONAL,
    DISENTANGLING,
    MULTILEVEL,
    CONVOLUTIONAL,
    ALIGNMENT,
    DEEPFAKE,
    CLASSIFICATION,
    CLUSTERING,
    REINFORCEMENT,
    COMPRESSION,
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


def chosen(names: Sequence[str], part: str | None = None) -> tuple[Experiment, ...]:
    """The experiments of these names, or "all", in the lecture's order; of one part of it where one is given.

    Raises
    ------
    SettingError
        Where there is none of a name, no such part, or nothing left to run.
    """
    if part is not None and part not in PARTS:
        raise SettingError(f"no part {part!r} of the lecture", "in the lab", f"one of {', '.join(PARTS)}")
    wanted = {find(name).name for name in names if name != "all"}
    found = tuple(one for one in EXPERIMENTS if ("all" in names or one.name in wanted) and part in {None, one.part})
    if not found:
        raise SettingError(f"nothing called {', '.join(names)} in part {part}", "in the lab")
    return found
