"""Denoising of held-out photos: an autoencoder trained on the other photos beside the methods of scikit-image.

    ISTHMUS_DATA=... python benchmarks/denoising.py --minutes 30

writes `denoising.json`, `denoising.md` and `denoising.png`. Methods that are not named by `--methods` keep the numbers
the JSON file already holds, so that the denoiser can be trained again without the others.

Protocol: Gaussian noise of standard deviation 25/255 on pixels in [0, 1], not clipped, of one fixed seed a photo: all
methods see the same noisy photos and know the noise's strength. Every third colour photo is held out (`--photos` names
others); all others, the gray ones too, are trained on. On the colour ones among these the settings of the other methods
are chosen: of each the one with the best mean PSNR on their centres. Results are clipped to [0, 1]; PSNR is
10·log₁₀(1 / mean squared error) of a photo.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import importlib.metadata
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

Photo = NDArray[np.float32]  # (C, H, W) in [0, 1]
Restore = Callable[[Photo], Photo]
SIGMA = 25 / 255
SIDE = 40  # pixels of a training patch
TUNED_ON = 128  # pixels a side: the centres on which the settings of other methods are chosen
TRIAL = 40  # steps that tell how many fit into the minutes allowed


class Cell(TypedDict):
    """One method: what it was set to, and of each photo its PSNR in dB and the seconds it took."""

    settings: str
    psnr: dict[str, float]
    seconds: dict[str, float]


Results = dict[str, Cell]  # by method


def read(path: Path, channels: int) -> Photo:
    from isthmus.data.images import LUMA
    from isthmus.data.pictures import full_scale, read_picture

    pixels = read_picture(path).pixels
    shares = pixels.astype(np.float32) / np.float32(full_scale(pixels))
    if channels == 1 and len(shares) == 3:
        return np.tensordot(LUMA, shares, 1)[None].astype(np.float32)
    return np.broadcast_to(shares, (channels, *shares.shape[1:]))


def noisy(photo: Photo, name: str) -> Photo:
    """The same noise for the same photo, whatever else is measured."""
    rng = np.random.default_rng([2026, *name.encode()])
    return photo + np.float32(SIGMA) * rng.standard_normal(photo.shape, dtype=np.float32)


def psnr(found: Photo, truth: Photo) -> float:
    return -10 * math.log10(np.mean(np.square(np.clip(found, 0, 1) - truth, dtype=np.float64)))


# scikit-image's methods, as functions of a noisy photo and of the setting that is chosen on the training photos


def _last(function: Callable[..., Any], photo: Photo, **settings: Any) -> Photo:
    """Through a function of (H, W, C), or of (H, W) where the photo is gray."""
    image = np.moveaxis(photo, 0, 2) if len(photo) > 1 else photo[0]
    found = function(image, channel_axis=2 if len(photo) > 1 else None, **settings)
    return np.moveaxis(np.atleast_3d(found), 2, 0)


def non_local_means(photo: Photo, h: float, patch: int, reach: int, fast: bool) -> Photo:
    from skimage.restoration import denoise_nl_means

    size = {"patch_size": patch, "patch_distance": reach}
    return _last(denoise_nl_means, photo, h=h * SIGMA, sigma=SIGMA, fast_mode=fast, **size)


def wavelet(photo: Photo, share: float, method: str, mode: str = "soft") -> Photo:
    from skimage.restoration import denoise_wavelet

    colours = {"convert2ycbcr": True} if len(photo) > 1 else {}
    settings = {"method": method, "mode": mode, "rescale_sigma": True, **colours}
    return _last(denoise_wavelet, photo, sigma=share * SIGMA, **settings)


def total_variation(photo: Photo, weight: float) -> Photo:
    from skimage.restoration import denoise_tv_chambolle

    return _last(denoise_tv_chambolle, photo, weight=weight, max_num_iter=300)


Candidates = Sequence[Mapping[str, Any]]
WIDTHS = (0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
FAST = [{"h": h, "patch": patch, "reach": reach} for patch in (3, 5, 7) for reach in (6, 11) for h in WIDTHS]
SLOW = [{"h": h, "patch": patch, "reach": 6} for patch in (3, 5) for h in WIDTHS]
SHARES = [{"share": share} for share in (0.25, 0.35, 0.5, 0.7, 0.85, 1.0)]
METHODS: dict[str, tuple[Callable[..., Photo], Candidates]] = {
    "non-local means, fast": (functools.partial(non_local_means, fast=True), FAST),
    "non-local means, slow": (functools.partial(non_local_means, fast=False), SLOW),
    "wavelet, BayesShrink": (functools.partial(wavelet, method="BayesShrink"), SHARES),
    "wavelet, VisuShrink": (functools.partial(wavelet, method="VisuShrink"), SHARES),
    "total variation": (total_variation, [{"weight": w} for w in (0.06, 0.08, 0.1, 0.12, 0.14, 0.17, 0.2)]),
}
OURS = "isthmus"


def chosen(method: Callable[..., Photo], candidates: Candidates, photos: Mapping[str, Photo]) -> Mapping[str, Any]:
    """The settings that do best on the centres of the training photos."""

    def quality(settings: Mapping[str, Any]) -> float:
        pairs = [(noisy(centre, name), centre) for name, photo in photos.items() for centre in [_centre(photo)]]
        return float(np.mean([psnr(method(given, **settings), truth) for given, truth in pairs]))

    return max(candidates, key=quality)


def _gray(photo: Photo) -> bool:
    """Whether a photo of three channels has no colours: noise in each by itself makes it too easy to tune on."""
    return len(photo) == 3 and np.array_equal(photo[0], photo[1])


def _centre(photo: Photo, side: int = TUNED_ON) -> Photo:
    top, left = ((extent - side) // 2 for extent in photo.shape[1:])
    return photo[:, top : top + side, left : left + side]


def scikit_image(name: str, known: Mapping[str, Photo]) -> tuple[Restore, str]:
    method, candidates = METHODS[name]
    settings = chosen(method, candidates, {name: photo for name, photo in known.items() if not _gray(photo)} or known)
    return functools.partial(method, **settings), ", ".join(f"{key} {value:g}" for key, value in settings.items())


# ours


def patches(photos: Mapping[str, Photo], count: int, side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Patches from random places of the photos, as many of each as its share of all pixels, turned and mirrored."""
    names = list(photos)
    areas = np.array([photos[name][0].size for name in names], float)
    out = np.empty((count, len(photos[names[0]]), side, side), np.float32)
    for row, i in zip(out, rng.choice(len(names), count, p=areas / areas.sum()), strict=True):
        photo = photos[names[i]]
        top, left = (int(rng.integers(extent - side + 1)) for extent in photo.shape[1:])
        part = np.rot90(photo[:, top : top + side, left : left + side], rng.integers(4), axes=(1, 2))
        row[:] = part[:, :, :: int(rng.choice([-1, 1]))]
    return out.reshape(count, -1)


def autoencoder(shape: tuple[int, int, int], options: argparse.Namespace, epochs: int) -> Any:
    """A denoising autoencoder whose code is a map at half the photo's size: no number of a code sees all of a patch."""
    from isthmus import encoders, zoo

    channels, height, width = shape
    code = options.code_channels * -(-height // 2) * -(-width // 2)
    style = {"kernel": options.kernel, "blocks": options.blocks, "spatial": True, "activation": "relu"}
    return zoo.denoising(
        code,
        noise="gaussian",
        amount=SIGMA,
        encoder=encoders.Convolutional(channels=(options.width,), **style),
        input_shape=(channels, height, width),
        scaling=None,
        max_epochs=epochs,
        batch_size=options.batch,
        learning_rate=options.rate,
        clip_norm=options.clip,
        dtype=options.dtype,
        validation_fraction=0.0,
        early_stopping=False,
        random_state=0,
        verbose=1,
    )


def trained(known: Mapping[str, Photo], options: argparse.Namespace) -> tuple[Any, str]:
    """An autoencoder fitted within the minutes allowed: a few steps tell how many fit."""
    rng = np.random.default_rng(0)
    shape = (options.channels, options.side, options.side)
    trial = autoencoder(shape, options, 2)
    trial.fit(patches(known, TRIAL * options.batch, options.side, rng))
    a_step = trial.history_[-1]["seconds"] / TRIAL
    steps = int(0.93 * 60 * options.minutes / a_step)
    epochs = max(1, math.ceil(steps * options.batch / options.most_patches))
    rows = patches(known, steps // epochs * options.batch, options.side, rng)
    print(f"{steps} steps of {a_step * 1000:.0f} ms: {epochs} epochs of {len(rows)} patches", file=sys.stderr)
    began = time.perf_counter()
    ae = autoencoder(shape, options, epochs).fit(rows)
    minutes = (time.perf_counter() - began) / 60
    numbers = sum(p.numel() for p in ae.module_.parameters())
    size = f"{numbers:,} parameters, {steps} steps of {options.batch} patches of {options.side} × {options.side}"
    return ae, f"{size}, {minutes:.1f} minutes in {options.dtype}"


def ours(known: Mapping[str, Photo], options: argparse.Namespace) -> tuple[Restore, str]:
    import isthmus
    from isthmus.data.tiles import blended
    from isthmus.runs.pictures import for_tiles, overlaps, tile_shape

    saved = options.model
    if options.keep and saved is not None and saved.exists():
        ae, words = isthmus.load(saved), "as saved"
    else:
        ae, words = trained(known, options)
        if saved is not None:
            ae.save(saved)
    ae = for_tiles(ae)
    shape = tile_shape(ae)

    def restore(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        return ae.reconstruct(tiles.reshape(len(tiles), -1)).reshape(tiles.shape)

    return lambda photo: blended(photo, shape[1:], overlaps(shape[1:]), restore), words


# measuring and telling


def measure(restore: Restore, words: str, unseen: Mapping[str, Photo]) -> tuple[Cell, dict[str, Photo]]:
    cell, found = Cell(settings=words, psnr={}, seconds={}), {}
    for name, photo in unseen.items():
        began = time.perf_counter()
        found[name] = np.clip(restore(noisy(photo, name)), 0, 1)
        cell["seconds"][name] = round(time.perf_counter() - began, 2)
        cell["psnr"][name] = round(psnr(found[name], photo), 3)
        print(f"  {name:12} {cell['psnr'][name]:.2f} dB, {cell['seconds'][name]} s", file=sys.stderr)
    return cell, found


def markdown(results: Results) -> str:
    names = sorted({name for cell in results.values() for name in cell["psnr"]})
    lines = ["| method | " + " | ".join(names) + " | mean ± sd | seconds a photo |", "|---" * (len(names) + 3) + "|"]
    best = {name: max(cell["psnr"].get(name, 0) for cell in results.values()) for name in names}
    for method, cell in results.items():
        values = [cell["psnr"].get(name) for name in names]
        shown = [
            "-" if value is None else f"**{value:.2f}**" if value == best[name] else f"{value:.2f}"
            for name, value in zip(names, values, strict=True)
        ]
        whole = [value for value in values if value is not None]
        spread = f"{np.mean(whole):.2f} ± {np.std(whole, ddof=min(1, len(whole) - 1)):.2f}"
        lines.append(f"| {method} | {' | '.join(shown)} | {spread} | {np.mean(list(cell['seconds'].values())):.1f} |")
    return "\n".join(lines)


def gain(results: Results) -> str:
    """Ours against the best of the others, by the mean over the photos that both have."""
    others = {name: cell for name, cell in results.items() if name in METHODS}
    if OURS not in results or not others:
        return ""
    own = results[OURS]["psnr"]
    gains = {
        name: [own[photo] - value for photo, value in cell["psnr"].items() if photo in own]
        for name, cell in others.items()
    }
    name = min(gains, key=lambda name: float(np.mean(gains[name])))
    least = ", ".join(f"{value:+.2f}" for value in gains[name])
    return f"Gain over {name}, the best of the others by its mean: {np.mean(gains[name]):+.2f} dB (photos: {least})."


def note(results: Results, options: argparse.Namespace) -> str:
    packages = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("isthmus", "torch", "numpy", "scikit-image", "PyWavelets")
    )
    settings = "\n".join(f"- {name}: {cell['settings']}" for name, cell in results.items())
    return f"""# Denoising of held-out photos, σ = 25/255

{datetime.datetime.now(tz=datetime.UTC).date()}; {platform.machine()}, {os.cpu_count()} cores;
Python {platform.python_version()}, {packages}.

PSNR in dB on {"colour" if options.channels == 3 else "gray"} photos that were not trained on; the noisy ones have
{results_noise(options)}. Noise of a fixed seed a photo, the same for all methods, not clipped; all know its strength.
The settings of scikit-image's methods are those with the best mean PSNR on the centres ({TUNED_ON} × {TUNED_ON}) of the
training photos. Ours is a denoising autoencoder, trained on random patches of the training photos alone, applied in
overlapping tiles that are blended. Made by `denoising.py`, which states the protocol.

{markdown(results)}

{gain(results)}

{settings}

Seconds were taken on a machine that may have been busy, and compare little.
"""


def results_noise(options: argparse.Namespace) -> str:
    return f"{-20 * math.log10(SIGMA):.2f} dB"


def picture(path: Path, columns: Mapping[str, Photo]) -> None:
    """Centres of one photo beside each other: clean, noisy, and as each method restored it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.6 * len(columns), 3), layout="constrained")
    for axis, (title, photo) in zip(figure.subplots(1, len(columns)), columns.items(), strict=True):
        axis.imshow(np.moveaxis(np.clip(_centre(photo), 0, 1), 0, 2), cmap="gray", vmin=0, vmax=1)
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    figure.savefig(path, dpi=150)


def split(folder: Path, named: Sequence[str] | None, channels: int) -> tuple[dict[str, Photo], dict[str, Photo]]:
    """Photos to train on and photos held out, by name."""
    from isthmus.data.pictures import read_picture

    paths = {path.stem: path for path in sorted(folder.glob("*.png"))}
    colour = [name for name, path in paths.items() if len(read_picture(path).pixels) == 3]
    held = list(named) if named else colour[1::3]
    photos = {name: read(path, channels) for name, path in paths.items()}
    return {name: photo for name, photo in photos.items() if name not in held}, {name: photos[name] for name in held}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of .png photos (default: natural/ in ISTHMUS_DATA)")
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, OURS], default=[*METHODS, OURS])
    parser.add_argument("--photos", nargs="+", help="held out, by the name of the file without its suffix")
    parser.add_argument("--channels", type=int, choices=(1, 3), default=3, help="1: all photos as gray ones")
    parser.add_argument("--crop", type=int, help="measure on centres of so many pixels a side: a quick trial")
    parser.add_argument("--minutes", type=float, default=30, help="of training")
    parser.add_argument("--side", type=int, default=SIDE, help="pixels of a training patch")
    parser.add_argument("--width", type=int, default=64, help="channels at half the size")
    parser.add_argument("--code-channels", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=2, help="residual blocks of the encoder, and of the decoder")
    parser.add_argument("--kernel", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--clip", type=float, help="bound of the gradient's norm")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of products in training")
    parser.add_argument("--most-patches", type=int, default=20_000, help="held in memory; more steps repeat them")
    parser.add_argument("--model", type=Path, help="folder to save the autoencoder to")
    parser.add_argument("--keep", action="store_true", help="use the saved autoencoder")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/denoising"), help="written with .json, .md, .png")
    return parser.parse_args()


def main() -> None:
    options = parse()
    folder = options.data or Path(os.environ.get("ISTHMUS_DATA", ".")) / "natural"
    known, unseen = split(folder, options.photos, options.channels)
    if options.crop:
        unseen = {name: _centre(photo, options.crop) for name, photo in unseen.items()}
    target = options.out.with_suffix(".json")
    results: Results = json.loads(target.read_text()) if target.exists() else {}
    shown = next(iter(unseen))
    columns = {"clean": unseen[shown], "noisy": noisy(unseen[shown], shown)}
    for method in options.methods:
        print(method, file=sys.stderr)
        restore, words = ours(known, options) if method == OURS else scikit_image(method, known)
        results[method], found = measure(restore, words, unseen)
        columns[method] = found[shown]
        options.out.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
        options.out.with_suffix(".md").write_text(note(results, options))
    picture(options.out.with_suffix(".png"), columns)
    print(markdown(results), gain(results), sep="\n\n")


if __name__ == "__main__":
    main()
