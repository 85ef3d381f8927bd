"""What features made by hand reach while nothing changes: pixels of scenes, and topics of reviews, beside learned ones.

scenes: Otsu's threshold and the watershed of the edges, or a network that reads the patch around each pixel.
reviews: k-means on bags of words, on their first principal components, or on as long a code of an autoencoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import handmade, zoo
from isthmus.classifier import Classifier
from isthmus.data import reviews, scenes
from isthmus.lab.shifts import PATCH, SIDE, bag_of_words

CODE = 8
UNSEEN = 12  # scenes


def masks_of(network: Classifier, pictures: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which pixels of pictures (N, H, W) a network that reads patches calls an object's."""
    patches = handmade.patches(pictures, PATCH)
    return network.predict(patches.reshape(-1, patches.shape[-1])).reshape(pictures.shape)


def segmented(network: Classifier, seed: int) -> dict[str, float]:
    """Share of all pixels of unseen scenes that each way names rightly, in %."""
    pictures, masks = scenes.generate(UNSEEN, SIDE, random_state=4 * seed + 1)
    found = {
        "otsu": np.stack([handmade.threshold(picture) for picture in pictures]),
        "watershed": np.stack([handmade.basins(picture) for picture in pictures]),
        "network": masks_of(network, pictures),
    }
    return {name: 100 * float(np.mean(one == masks)) for name, one in found.items()}


def clustered(n: int, seed: int) -> dict[str, float]:
    """Adjusted Rand index of k-means on each description of n reviews with their topics."""
    made = reviews.generate(n, random_state=4 * seed)
    words = bag_of_words((1, 1)).fit_transform(made.texts).toarray()
    components = make_pipeline(StandardScaler(), PCA(CODE, random_state=seed))
    code = zoo.undercomplete(CODE, (64,), scaling="standard", max_epochs=20, random_state=seed, device="cpu")
    means = KMeans(len(reviews.TOPICS), n_init=5, random_state=seed)
    spaces = {"words": words, "components": components.fit_transform(words), "code": code.fit_transform(words)}
    return {name: float(adjusted_rand_score(made.topic, means.fit_predict(X))) for name, X in spaces.items()}


def seen(networks: Mapping[str, Classifier], seed: int) -> dict[str, Any]:
    """A scene in each look: as it is, its truth, and what each way makes of it.

    `networks` has one that learned bright objects, and those that adapted to the other looks.
    """
    shown = {}
    for look in scenes.LOOKS:
        pictures, masks = scenes.generate(1, SIDE, look, random_state=4 * seed + 3)
        maps = {
            "scene": pictures[0].round(2),
            "truth": masks[0],
            "Otsu": handmade.threshold(pictures[0]),
            "watershed": handmade.basins(pictures[0]),
            "network": masks_of(networks["bright"], pictures)[0],
            "adapted": masks_of(networks[look], pictures)[0],
        }
        shown[look] = {name: one.astype(float) if name == "scene" else one.astype(int) for name, one in maps.items()}
    return shown
