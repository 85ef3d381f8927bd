"""How verbs read DATA: options on images, and a loader that says on standard error what was done to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.output import remark

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.data import Dataset, ImageOptions

ImagesOption = Annotated[
    str | None,
    typer.Option(
        "--images",
        metavar="HOW",
        help="How a folder's images are cut: tile:64 covers each, crop:64x48 (width × height) takes each one's centre. "
        "After commas stride=32, channels=1 (gray) or 3, most=4 (GiB of rows). A run's own way by default.",
        show_default=False,
    ),
]
StrictFlag = Annotated[
    bool, typer.Option("--strict", help="Stop at an image that cannot be used, which is else named and left out.")
]


def loader(images: str | None, strict: bool) -> Callable[..., Dataset]:
    """`load_data` with these options, which go before those that a run remembers.

    Raises
    ------
    SettingError
        Where `images` says something else.
    """
    from isthmus.data import ImageOptions, load_data

    given = ImageOptions.parse(images or "whole", strict)

    def load(spec: str, *, constant_ok: bool = False, images: ImageOptions | None = None) -> Dataset:
        dataset = load_data(spec, constant_ok=constant_ok, images=given.over(images))
        for note in dataset.notes:
            remark(note)
        return dataset

    return load
