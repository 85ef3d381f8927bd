"""Templates filled in; every text that comes from outside is escaped by jinja2."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from isthmus.report.numbers import interval, number, spread

MARKS = {"fail": "✕", "warn": "!", "pass": "✓", "n/a": "–"}  # told apart without colour
WORDS = {"fail": "fail", "warn": "warning", "pass": "pass", "n/a": "not judged"}


def render(template: str, **content: object) -> str:
    """Fill in one of the package's templates."""
    return _environment().get_template(template).render(**content)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("isthmus.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, label=label)
    environment.globals.update(spread=spread, interval=interval, MARKS=MARKS, WORDS=WORDS)
    return environment


def label(name: object) -> str:
    """A name as people write it: the acronym in capitals, a key's underscores as spaces."""
    text = str(name).replace("_", " ")
    return "PCA" if text == "pca" else text
