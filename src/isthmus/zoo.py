"""Named compositions: functions of a few lines whose docstring is the equation."""

from __future__ import annotations

from math import gcd
from typing import Any

from isthmus import codes, corruptions, decoders, encoders, penalties, priors
from isthmus._constraints import check_names
from isthmus.estimators import Autoencoder


def linear(code_size: int = 8, **settings: Any) -> Autoencoder:
    """x̂ = V(Wx + b) + c, ½‖x − x̂‖².

    Spans the subspace of the first K principal components, without their order or orthogonality (Baldi & Hornik 1989).
    Expect PCA's error, a little above it where training stops early.
    """
    return _compose(settings, code_size=code_size, encoder=encoders.Linear())


def undercomplete(code_size: int = 8, hidden: tuple[int, ...] = (128,), **settings: Any) -> Autoencoder:
    """x̂ = g(f(x)), ½‖x − x̂‖², K < D, f and g perceptrons.

    The bottleneck is the only constraint (Hinton & Salakhutdinov 2006). Expect less error than PCA of equal size
    wherever the data lie on a curved surface, and overfitting on few rows.
    """
    return _compose(settings, code_size=code_size, encoder=encoders.MLP(hidden))


def denoising(
    code_size: int = 8, noise: str = "gaussian", amount: float = 0.3, hidden: tuple[int, ...] = (128,), **settings: Any
) -> Autoencoder:
    """x̂ = g(f(x̃)), ½‖x − x̂‖², x̃ a corrupted x (Vincent 2008, 2010).

    `noise` is "gaussian" (amount: standard deviation in scaled units), "masking" or "salt-and-pepper" (amount: share
    of entries), or of images "shift" (pixels), "rotation" (degrees) or "elastic" (pixels). Expect a code that moves
    little under that noise, at some cost in reconstruction.
    """
    corruption = corruptions.named(noise, amount)
    return _compose(settings, code_size=code_size, encoder=encoders.MLP(hidden), corruption=corruption)


def contractive(
    code_size: int = 8, strength: float = 0.1, hidden: tuple[int, ...] = (128,), **settings: Any
) -> Autoencoder:
    """x̂ = g(f(x)), ½‖x − x̂‖² + λ‖∂f/∂x‖²_F, g the transpose of f (Rifai 2011).

    Tied weights, else f shrinks and g grows and the penalty is escaped. Tanh units, whose slope can fall smoothly.
    Expect few directions that still move the code, small weights, and less overfitting than without the penalty.
    Rifai's own network is `hidden=()` with `code=codes.Activation("sigmoid")`.
    """
    return _compose(
        settings,
        code_size=code_size,
        encoder=encoders.MLP(hidden, "tanh"),
        decoder=decoders.Tied(),
        penalty=penalties.Contraction(strength),
    )


def sparse(code_size: int = 64, rho: float = 0.05, strength: float = 3.0, **settings: Any) -> Autoencoder:
    """z = σ(Wx + b), x̂ = Vz + c, ½‖x − x̂‖² + λ Σᵢ KL(ρ ‖ ρ̂ᵢ), ρ̂ᵢ the mean of zᵢ over the batch (Ng 2011).

    Expect units that fire on about a share ρ of the rows, each for a feature of its own.
    """
    return _compose(
        settings,
        code_size=code_size,
        encoder=encoders.Linear(),
        code=codes.Activation("sigmoid"),
        penalty=penalties.KL(rho, strength),
    )


def topk(code_size: int = 64, k: int = 8, **settings: Any) -> Autoencoder:
    """z = the k largest of relu(Wx + b), the rest exactly 0; x̂ = Vz + c, ½‖x − x̂‖² (Makhzani & Frey 2013).

    Expect k numbers a row to say as much as a larger dense code; units never chosen are dead.
    """
    return _compose(settings, code_size=code_size, encoder=encoders.Linear(), code=codes.TopK(k))


def variational(
    code_size: int = 8, beta: float = 1.0, hidden: tuple[int, ...] = (128,), **settings: Any
) -> Autoencoder:
    """z ~ N(μ(x), σ²(x)), −log p(x | g(z)) + β KL(N(μ, σ²) ‖ N(0, I)) (Kingma & Welling 2014; β: Higgins 2017).

    β = 1 is the negative evidence bound. Expect a code spread like the prior, so that samples of it decode to
    plausible rows, and numbers the data do not need left unused.
    """
    return _compose(
        settings,
        code_size=code_size,
        encoder=encoders.MLP(hidden),
        code=codes.Gaussian(),
        penalty=penalties.Divergence(beta),
    )


def mixture(
    code_size: int = 8, components: int = 10, beta: float = 0.1, hidden: tuple[int, ...] = (128,), **settings: Any
) -> Autoencoder:
    """z ~ N(μ(x), σ²(x)), −log p(x | g(z)) + β KL(N(μ, σ²) ‖ Σ_c π_c N(μ_c, diag σ_c²)), the mixture learned.

    Its components are clusters of the rows (Jiang 2017): `mixtures.assign(ae, X)`. β grows over the first 10 epochs,
    after which the mixture begins anew from the codes. β = 1 is the evidence bound; less keeps clusters apart where the
    likelihood's variance is larger than theirs. Expect well separated clusters to be found, and others to depend on the
    seed; `mixtures.cluster` starts from codes that are trained already.
    """
    return _compose(
        settings,
        code_size=code_size,
        encoder=encoders.MLP(hidden),
        code=codes.Gaussian(priors.Mixture(components)),
        penalty=penalties.Divergence(beta, warm_up=10),
    )


def vq(
    code_size: int = 8,
    entries: int = 64,
    vector: int = 4,
    strength: float = 0.25,
    hidden: tuple[int, ...] = (128,),
    **settings: Any,
) -> Autoencoder:
    """z = the nearest entries of a codebook, ½‖x − x̂‖² + λ‖a − z‖² (van den Oord 2017).

    Vectors have gcd(code_size, vector) numbers. Expect a row to be told in code_size / vector words of log₂(entries)
    bits, at some cost in reconstruction.
    """
    return _compose(
        settings,
        code_size=code_size,
        encoder=encoders.MLP(hidden),
        code=codes.VectorQuantised(entries, gcd(code_size, vector)),
        penalty=penalties.Commitment(strength),
    )


def multilevel(
    code_size: int = 16, content: int = 8, beta: float = 2.0, hidden: tuple[int, ...] = (128,), **settings: Any
) -> Autoencoder:
    """z = (c, s), −log p(x | g(c, s)) + β KL, c ~ Π N(μᵢ, σᵢ²) over a group's rows, s ~ N(μ, σ²) (Bouchacourt 2018).

    Needs groups: `fit(X, groups=labels)`. Expect the first `content` numbers to say what a group's rows share and the
    rest what tells them apart, so that `swap(content_of, style_of)` puts them together anew. β = 1 is the bound; the
    larger, the less of the content finds its way into a wide style (β 4 to 5 for MNIST).
    """
    return _compose(
        settings,
        code_size=code_size,
        encoder=encoders.MLP(hidden),
        code=codes.Grouped(content),
        penalty=penalties.Divergence(beta),
    )


def convolutional(code_size: int = 8, channels: tuple[int, ...] = (32, 64), **settings: Any) -> Autoencoder:
    """x̂ = g(f(x)), ½‖x − x̂‖², f of convolutions that halve a map, g of transposed ones that restore it (Masci 2011).

    For images and signals, with `input_shape`; a row without one is taken as a signal. Expect less error than dense
    layers of as many parameters wherever neighbours belong together. Every other kind takes the pair too:
    `zoo.denoising(encoder=encoders.Convolutional())`.
    """
    return _compose(settings, code_size=code_size, encoder=encoders.Convolutional(channels))


def _compose(settings: dict[str, Any], **parts: Any) -> Autoencoder:
    """The kind's parts; the user's own settings win."""
    check_names("the zoo", settings, Autoencoder().get_params(deep=False))
    return Autoencoder(**(parts | settings))


KINDS = {
    kind.__name__: kind
    for kind in (
        linear,
        undercomplete,
        convolutional,
        denoising,
        contractive,
        sparse,
        topk,
        variational,
        mixture,
        vq,
        multilevel,
    )
}
GROUPED = ("multilevel",)  # kinds that need the groups of rows
