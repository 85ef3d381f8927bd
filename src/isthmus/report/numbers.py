"""Numbers as people read them: three digits that matter, a true minus sign, powers of ten spelt as powers."""

from __future__ import annotations

import math
from collections.abc import Mapping

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ABSENT = "–"
_ENDS = "_interval"


def number(value: object) -> str:
    """Three significant digits: 0.912, 1,797, 3.1 × 10⁻⁵; a dash for what is missing or not a number."""
    if value is None:
        return _ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not hasattr(value, "__float__"):
        return str(value)
    return _real(float(value))


def spread(value: object, sd: object) -> str:
    """A mean and its standard deviation, written to the digit the deviation makes known: 0.912 ± 0.004."""
    mean, width = _as_float(value), _as_float(sd)
    if mean is None or width is None or width <= 0:
        return number(value)
    places = 1 - math.floor(math.log10(width))
    if not 0 <= places <= 6:
        return f"{number(mean)} ± {number(width)}"
    places = max(places - 1, 0)
    return f"{_signed(f'{mean:,.{places}f}')} ± {width:.{places}f}"


def exact(value: object) -> str:
    """As `number`, with up to seven digits: for numbers that are held against a bound."""
    real = _as_float(value)
    if real is None or isinstance(value, bool) or not 1e-3 <= abs(real) < 1e6:
        return number(value)
    return _signed(f"{real:,.7g}")


def interval(low: object, high: object) -> str:
    return f"{number(low)} to {number(high)}"


def flat(tree: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Every number of a nested dictionary, with its path and, where one stands beside it, its interval.

    {"code": {"dead": 3, "shift": 0.5, "shift_interval": [0.4, 0.6]}} gives ("code › dead", "3") and
    ("code › shift", "0.500 (0.400 to 0.600)").
    """
    rows: list[tuple[str, str]] = []
    for key, value in tree.items():
        if str(key).endswith(_ENDS) and str(key).removesuffix(_ENDS) in tree:
            continue  # written beside its number
        path = f"{prefix} › {key}" if prefix else str(key)
        if isinstance(value, Mapping):
            rows += flat(value, path)
        elif isinstance(value, list | tuple):
            rows.append((path, _listed(list(value))))
        else:
            rows.append((path, number(value) + _ends(tree.get(f"{key}{_ENDS}"))))
    return rows


def _ends(found: object) -> str:
    return f" ({interval(*found)})" if isinstance(found, list | tuple) and len(found) == 2 else ""


def _listed(values: list[object]) -> str:
    shown = ", ".join(number(value) for value in values[:12])
    return f"{shown} … ({len(values)} in all)" if len(values) > 12 else shown or "none"


def _real(value: float) -> str:
    if not math.isfinite(value):
        return _ABSENT
    if value == int(value) and abs(value) < 1e6:
        return _signed(f"{int(value):,}")
    if 1e-3 <= abs(value) < 1e6:
        return _signed(f"{value:,.{max(2 - math.floor(math.log10(abs(value))), 0)}f}")
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{_signed(mantissa)} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def _as_float(value: object) -> float | None:
    if value is None or not hasattr(value, "__float__"):
        return None
    real = float(value)
    return real if math.isfinite(real) else None


def _signed(text: str) -> str:
    return text.replace("-", "−")
