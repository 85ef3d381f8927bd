"""What must be set before scipy and scikit-learn are imported, and the same unseeded draws in every run."""

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # scikit-learn skips its check of array input without it


def pytest_collectstart() -> None:
    """Networks of torch's own in a table of cases have the same first weights whatever else is run."""
    import torch

    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def same_unseeded_draws() -> Iterator[None]:
    """So do those that a test builds."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
