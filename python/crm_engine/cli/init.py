"""``crm-engine init``: makes an empty base."""

from __future__ import annotations

from pathlib import Path

import click

from crm_engine.cli.base_options import base_again_option, base_argument, the_base
from crm_engine.cli.options import config_option, terminal_options
from crm_engine.cli.terminal import Terminal


@click.command("init", short_help="Make a contact base in a new folder.")
@base_argument
@base_again_option
@config_option
@click.option(
    "--model",
    "model_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Pin a saved model.json; the first import fits one otherwise.",
)
@terminal_options
def command(terminal: Terminal, path: Path | None, again: Path | None, config: Path | None, model_path: Path | None) -> None:
    """Make an empty contact base in the new folder BASE.

    The settings in --config (thresholds, survivorship, ...) hold for good: they decide how contacts are resolved.

    \b
      crm-engine init base/
      crm-engine import exports/*.xlsx crm.csv --base base/ --source erp
    """
    from crm_engine import Model
    from crm_engine.base import Base

    path = the_base(path, again)
    model = Model.load(model_path) if model_path is not None else None
    with Base.create(path, model, config=config):
        terminal.result(
            {"base": str(path), "model": "given" if model else "fitted by the first import"}, lambda console: console.print(f"made {path}")
        )
