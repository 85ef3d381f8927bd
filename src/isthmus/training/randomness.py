"""Randomness as a function of seeds and epochs; the global generators are put back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Generator


def reseed(rngs: Sequence[Generator], moments: Sequence[tuple[int, int]]) -> None:
    """Randomness as a function of seed and epoch, so that a resumed run draws what an unbroken one would have."""
    mixed = [(seed * 0x9E3779B97F4A7C15 + (epoch + 2) * 0xBF58476D1CE4E5B9) % 2**63 for seed, epoch in moments]
    for rng, number in zip(rngs, mixed, strict=True):
        rng.manual_seed(number)
    # A user's own layers (dropout) draw from the device's global generator, which is put back.
    torch.default_generator.manual_seed(mixed[0])
    if rngs[0].device.type == "cuda":
        with torch.cuda.device(rngs[0].device):
            torch.cuda.manual_seed(mixed[0])


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Put the global generators back as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
