"""Verbs that train: demo, train, compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.faults import DONE, Interrupted
from isthmus.cli.opening import ImagesOption, StrictFlag, loader
from isthmus.cli.output import JsonFlag, Result, columns, emit, grid, number, remark, short, spread

if TYPE_CHECKING:
    from rich.console import RenderableType

    from isthmus.compare import Tick
    from isthmus.errors import SettingError
    from isthmus.runs import Mode, Request
    from isthmus.runs.source import Load

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting, nested by dots: hidden=512,256 penalty.strength=0.2."),
]
Data = Annotated[str | None, typer.Argument(metavar="DATA", help="A named set or a path.", show_default=False)]
DEMO_DATA, DEMO_CODE_SIZE, DEMO_SEEDS, DEMO_EPOCHS = "digits", 16, 5, 60
DEMO_RATE = 5e-3  # above the default: so few epochs are not enough at 2e-3


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("runs/demo"),
    seeds: Annotated[int, number(text="Trainings of each kind.")] = DEMO_SEEDS,
    max_epochs: Annotated[int, number(text="Epochs of each training.")] = DEMO_EPOCHS,
    as_json: JsonFlag = False,
) -> int:
    """All kinds and PCA on embedded data.

    Every kind and PCA on digits: the same split, 5 seeds, one table and one report.

    Example: isthmus demo
    """
    settings = {"max_epochs": max_epochs, "learning_rate": DEMO_RATE}
    return _compare(DEMO_DATA, "all", DEMO_CODE_SIZE, seeds, settings, out, True, as_json, loader(None, False))


def train(
    data: Data = None,
    kind: Annotated[str | None, typer.Option(help="Which autoencoder, such as undercomplete.")] = None,
    code_size: Annotated[int | None, number(text="Numbers a row is coded as; by default the kind's own.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/DATA-KIND by default.")] = None,
    assignments: SetOption = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file: data, kind, code_size, seed, images, [settings].")
    ] = None,
    seed: Annotated[int | None, number(text="Decides weights, split, order and noise; 0 by default.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run once the new one is done.")] = False,
    no_reference: Annotated[bool, typer.Option("--no-reference", help="Keep no training rows in the run.")] = False,
    images: ImagesOption = None,
    strict: StrictFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Train one kind into a run folder.

    It is judged on rows held out: evidence.json and report.html lie in the folder too.

    Example: isthmus train digits --kind sparse --code-size 64 --out runs/a --set penalty.strength=0.2
    """
    from isthmus import runs
    from isthmus.progress import bar

    request = _request(data, kind, code_size, seed, assignments or [], config)
    mode, load = _mode(resume, overwrite), loader(images, strict)
    out = out or Path("runs") / f"{Path(request.data).name.partition('.')[0]}-{request.kind}"
    try:
        with bar() as observer:
            result = runs.train(request, out, mode, not no_reference, [observer], load)
    except KeyboardInterrupt as stop:
        raise Interrupted(_way_on(out)) from stop
    if not result["evidence"]:
        remark("too few rows to hold any out: no evidence was written; isthmus evaluate writes it from other rows")
    emit(result, as_json, _trained)
    return DONE


def compare(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A named set or a path.")],
    kinds: Annotated[str, typer.Option(help="all, or names such as sparse,topk.")] = "all",
    code_size: Annotated[int, number(text="Numbers a row is coded as, the same for all.")] = 16,
    seeds: Annotated[int, number(text="Trainings of each kind.")] = 5,
    out: Annotated[Path | None, typer.Option(help="Folder for the report; runs/compare-DATA by default.")] = None,
    assignments: SetOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the one there once this is done.")] = False,
    images: ImagesOption = None,
    strict: StrictFlag = False,
    as_json: JsonFlag = False,
) -> int:
    """Train many kinds on the same split.

    PCA of equal size stands beside them: means and spreads over seeds, one report.

    Example: isthmus compare wine --kinds linear,undercomplete --code-size 4 --seeds 5 --out runs/b
    """
    from isthmus.runs import parse_assignments, refuse_decided

    settings = parse_assignments(assignments or [])
    refuse_decided(settings)
    out = out or Path("runs") / f"compare-{Path(data).name.partition('.')[0]}"
    return _compare(data, kinds, code_size, seeds, settings, out, overwrite, as_json, loader(images, strict))


def _compare(
    data: str,
    kinds: str,
    code_size: int,
    seeds: int,
    settings: Mapping[str, Any],
    out: Path,
    overwrite: bool,
    as_json: bool,
    load: Load,
) -> int:
    from isthmus import compare as comparing
    from isthmus.runs import left_out

    names = comparing.choose_kinds(kinds)
    dataset = load(data)
    comparing.prepare(out, overwrite)
    with ticking(len(names) * seeds) as tick:
        comparison = comparing.compare(dataset, names, code_size, seeds, settings, tick)
    result = comparison.result | {"data": data, "report": comparing.write_report(comparison, out)} | left_out(dataset)
    emit(result, as_json, _compared)
    return DONE


@contextmanager
def ticking(total: int, doing: str = "training") -> Iterator[Tick]:
    """A bar on standard error of what is done of so many."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*shown, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(doing, total=total)
        yield lambda name: progress.update(task, advance=1, description=name)


def _request(
    data: str | None,
    kind: str | None,
    code_size: int | None,
    seed: int | None,
    assignments: list[str],
    config: Path | None,
) -> Request:
    """The command line over the configuration file over the defaults."""
    from isthmus.data import ImageOptions
    from isthmus.errors import SettingError
    from isthmus.runs import Request, parse_assignments, read_config

    said = {} if config is None else read_config(config)
    told = {"data": data, "kind": kind, "code_size": code_size, "seed": seed}
    asked = said | {name: value for name, value in told.items() if value is not None}
    asked["settings"] = said.get("settings", {}) | parse_assignments(assignments)
    if "images" in asked:
        asked["images"] = ImageOptions.parse(str(asked["images"]))
    if "data" not in asked:
        raise SettingError("no data", "in isthmus train", "a named set or a path", "such as isthmus train digits")
    if "kind" not in asked:
        raise no_kind("train")
    return Request(**asked)


def no_kind(verb: str) -> SettingError:
    from isthmus.errors import SettingError
    from isthmus.zoo import KINDS

    return SettingError("no kind", f"in isthmus {verb}", f"--kind with one of {', '.join(sorted(KINDS))}")


def _mode(resume: bool, overwrite: bool) -> Mode:
    from isthmus.errors import SettingError

    if resume and overwrite:
        raise SettingError("--resume and --overwrite together", "in isthmus train", "one of them")
    return "resume" if resume else "overwrite" if overwrite else "new"


def _way_on(out: Path) -> str:
    from isthmus.runs import resumable

    return f"resume with --resume --out {out}" if resumable(out) else "no epoch was finished, nothing was written"


def _trained(result: Result) -> RenderableType:
    validation = result["validation"]
    return grid(
        [
            ("run", result["run"]),
            ("kind", result["kind"]),
            ("code size", result["code_size"]),
            ("rows", f"{result['n_train']:,} trained on, {result['n_validation']:,} held out"),
            ("training", f"{result['epochs']} epochs, {short(result['seconds'])} s, ended by {result['stopped']}"),
            ("steps", result["engine"]),
            ("held-out mse", validation["mse"]),
            ("held-out R²", validation["r2"]),
        ]
    )


def _compared(result: Result) -> RenderableType:
    from rich.console import Group

    ranked = sorted(result["rows"], key=lambda row: -row["r2"]["mean"])
    rows = [(row["kind"], row["seeds"], *(spread(row[name]) for name in ("r2", "mse", "seconds"))) for row in ranked]
    data, code_size, n = result["data"], result["code_size"], result["n_test"]
    title = f"{short(data)}, code size {code_size}: {n:,} test rows, mean ± sd over seeds"
    table = columns(["kind", "seeds", "R²", "mse", "seconds"], rows)
    told = short(result["report"] or "none: pip install 'isthmus[report]'")
    return Group(title, table, f"report: {told}")
