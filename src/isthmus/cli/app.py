"""The program and its verbs, in the order that help shows them."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.cli import experiments, features, generating, looking, pictures, sweeping, training, using

HELP = """Train every kind of autoencoder, and read whether the code it learned is any good.

DATA is a named set (see `isthmus data list`) or a path: .npy .npz .csv .parquet, idx(.gz), a folder of images.
RUN is a folder that `isthmus train` wrote. ISTHMUS_DATA names the folder where named sets lie."""

app = typer.Typer(
    help=HELP, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None, suggest_commands=False
)


@app.callback(invoke_without_command=True)
def isthmus(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        from isthmus import __version__

        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command()(training.demo)
app.command()(training.train)
app.command()(training.compare)
app.command()(sweeping.sweep)
app.command()(looking.evaluate)
app.command()(using.encode)
app.command()(using.decode)
app.command()(using.reconstruct)
app.command()(pictures.denoise)
app.command()(generating.sample)
app.command()(generating.interpolate)
app.command()(generating.traverse)
app.command("swap-codes")(generating.swap_codes)
app.command()(using.anomalies)
app.command()(features.features)
app.command()(looking.info)
app.add_typer(looking.data, name="data")
app.add_typer(experiments.lab, name="lab")
