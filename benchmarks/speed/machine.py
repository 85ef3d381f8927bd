"""What a run was made on and with, read from the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import isthmus

PACKAGES = ("torch", "numpy", "scikit-learn", "pythae", "pyod", "skorch", "keras", "jax", "jaxlib")


def describe(device: str) -> dict[str, Any]:
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": memory(),
        "gpu": gpu() if device != "cpu" else None,
        "system": platform.system(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def processor() -> str:
    """The model's name, with family and model where the name leaves the generation open."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    lines = path.read_text(encoding="utf-8").splitlines()
    facts = dict(reversed([(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in lines)]))
    name = facts.get("model name", platform.machine())
    wide = ", AVX-512" if "avx512f" in facts.get("flags", "") else ", AVX2" if "avx2" in facts.get("flags", "") else ""
    family = f" (family {facts['cpu family']}, model {facts['model']}{wide})" if "cpu family" in facts else ""
    return name + family


def memory() -> float | None:
    if not hasattr(os, "sysconf"):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def gpu() -> str:
    import torch

    facts = torch.cuda.get_device_properties(0)
    return f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "isthmus": isthmus.__version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
