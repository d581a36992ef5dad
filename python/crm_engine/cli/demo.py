"""``crm-engine demo``: sample exports to try everything on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console


@click.command("demo", short_help="Write the exports of a realistic small business, with the truth beside them.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A folder that is new or empty.")
@click.option("--rows", type=click.IntRange(min=1), default=2_000, show_default=True, metavar="N", help="Contact rows over all exports.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, metavar="S", help="Another seed, another business.")
@terminal_options
def command(terminal: Terminal, output: Path, rows: int, seed: int) -> None:
    """Write a realistic small business to DIR: four overlapping exports of contacts (an English CRM's CSV, a Russian cp1251
    CSV, a Latvian workbook, a Parquet file), with orders, deals, interactions, costs and plans beside them, and who is who in
    truth.csv. The same rows and seed give the same content.

    \b
      crm-engine demo -o demo/exports
      crm-engine demo -o big --rows 1000000 --seed 7
    """
    from crm_engine.demo import write_demo

    if terminal.progressing:
        terminal.note(f"writing {rows:,} contact rows ...")
    summary = write_demo(output, rows=rows, seed=seed)

    def show(console: Console) -> None:
        n_related = sum(summary.related.values())
        console.print(
            f"{sum(summary.contacts.values()):,} contact rows of {summary.entities:,} people and companies, {n_related:,} related rows"
        )
        for name, count in {**summary.contacts, **summary.related}.items():
            console.print(f"  {count:>12,}  {output / name}")
        console.print(f"  {'who is who':>12}  {output / 'truth.csv'}")
        names = " ".join(str(output / name) for name in summary.contacts)
        console.print(f"\nNow: crm-engine dedupe {names} -o out", soft_wrap=True)
        console.print("Or as a contact base that takes in the next exports too:", soft_wrap=True)
        for line in _as_a_base(output, list(summary.contacts), list(summary.related)):
            console.print(f"  {line}", soft_wrap=True)

    terminal.result(summary.to_dict(), show)


def _as_a_base(folder: Path, contacts: list[str], related: list[str]) -> list[str]:
    """The commands that make a base of the exports; related tables say in their column `source` whose keys they hold."""
    lines = ["crm-engine init base"]
    lines += [f"crm-engine import {folder / name} --base base --source {re.split('[_.]', name)[0]}" for name in contacts]
    lines += [f"crm-engine import {folder / name} --base base --table {Path(name).stem}" for name in related]
    return lines
