"""Reports: one HTML file each, which opens offline, prints, and reads on a phone.

They need the extra `report` (matplotlib, jinja2, pillow), which is imported when a page is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from isthmus.data.reading import needs

if TYPE_CHECKING:
    from isthmus.report.view import Examined

__all__ = ["compare_page", "evidence_page", "features_page", "gallery_page", "sweep_page"]

_PACKAGES = {"jinja2": "jinja2", "matplotlib": "matplotlib", "PIL": "pillow"}  # the module, and the name pip knows


def evidence_page(evidence: Examined, title: str) -> str:
    """One page on one autoencoder: is its code any good?

    Parameters
    ----------
    evidence : Evidence
        What `isthmus.evidence.examine` returned: `verdicts`, `to_dict()` and `pictures` are read. A picture that is
        missing leaves its section out.
    title : str
        The page's heading, any text.

    Returns
    -------
    str
        A whole HTML document, the same bytes for the same evidence.

    Raises
    ------
    DataError
        A package of the extra `report` is not installed.
    """
    _require()
    from isthmus.report.examined import page

    return page(evidence, title)


def compare_page(result: Mapping[str, Any], pictures: Mapping[str, Any], title: str) -> str:
    """One page on many kinds trained on the same split.

    Parameters
    ----------
    result : dict
        `data`, `code_size` and `rows`, each row with `kind`, `seeds`, and `mse`, `r2`, `seconds` as
        `{"mean", "sd"}` over the seeds.
    pictures : dict
        Any of `originals` (n, D); `reconstructions`, by kind (n, D); `maps`, by kind (n, 2); `map_labels` (n,);
        `histories`, by kind a list of histories, one a seed; `verdicts`, by kind a list of dictionaries;
        `input_shape`; `feature_names`.
    title : str
        The page's heading, any text.

    Returns
    -------
    str
        A whole HTML document, the same bytes for the same input.

    Raises
    ------
    DataError
        A package of the extra `report` is not installed.
    """
    _require()
    from isthmus.report.compared import page

    return page(result, pictures, title)


def sweep_page(result: Mapping[str, Any], title: str) -> str:
    """One page on many settings of one kind.

    Parameters
    ----------
    result : dict
        `rows`, each with `settings` (plain JSON by name), `seeds`, `diverged`, and `mse`, `r2`, `epochs`, `seconds` as
        `{"mean", "sd"}` over the seeds, null where all diverged; `best`, the best row with its `member` and the path
        of its `run`; also `data`, `n_train`, `n_test`. What `Sweep.to_dict` gives will do.
    title : str
        The page's heading, any text.

    Returns
    -------
    str
        A whole HTML document, the same bytes for the same input.

    Raises
    ------
    DataError
        A package of the extra `report` is not installed.
    """
    _require()
    from isthmus.report.swept import page

    return page(result, title)


def gallery_page(experiments: Sequence[Mapping[str, Any]], parts: Mapping[str, str] | None = None) -> str:
    """One page on the lab's experiments, in the order given.

    Parameters
    ----------
    experiments : sequence of dict
        Each with `name` and `claim`; where known also `part`, `lecture`, `reference`, `protocol`, `command`, `code` (a
        path, for people to read) and `source` (the text of that file). What was run has `holds`, `measured` (key to
        number), `expected` (key to an operator and a number), `missed` (keys), `seeds`, `seconds`, and `pictures`, each
        with the `path` of a .png, .jpg or .svg file, which is put into the page, a `caption` and an `alt`. What could
        not be run has an `error` with `what`, `where`, `expected` and `hint`.
    parts : mapping, optional
        The heading of each part, as "Autoencoders" of "II". Experiments of one part follow one another.

    Returns
    -------
    str
        A whole HTML document, the same bytes for the same input.

    Raises
    ------
    DataError
        A package of the extra `report` is not installed.
    """
    _require()
    from isthmus.report.gallery import page

    return page(experiments, parts or {})


def features_page(result: Mapping[str, Any], title: str) -> str:
    """One page on what a network learned to see.

    Parameters
    ----------
    result : dict
        `layers`, each with `name`, `type`, `shape`, `units`, `sheet` (the path of a PNG, which is put into the page),
        `shown` (units), `told` (what the sheet shows) and, where known, `sees` (extents of a receptive field) and
        `columns` (of a table: each unit's strongest); `views`, each with `name`, `told`, `sheet`; `rows`, in words.
        What `isthmus features --json` prints.
    title : str
        The page's heading, any text.

    Returns
    -------
    str
        A whole HTML document, the same bytes for the same input.

    Raises
    ------
    DataError
        A package of the extra `report` is not installed.
    """
    _require()
    from isthmus.report.features import page

    return page(result, title)


def _require() -> None:
    for module, package in _PACKAGES.items():
        try:
            import_module(module)
        except ImportError as error:
            raise needs(package, "report", "write a report") from error
