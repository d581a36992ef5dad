"""The folder that ``dedupe`` writes: when it may be written to, and what it must hold to be read."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import click

#: The tables of a result, each a Parquet file.
TABLES = ("contacts", "records", "lineage", "pairs", "rejects", "skipped")
_OURS = {*(f"{table}.parquet" for table in TABLES), "summary.json", "model.json"}


def is_result(folder: Path) -> bool:
    """Whether an earlier run wrote the folder."""
    try:
        return isinstance(json.loads((folder / "summary.json").read_bytes()), dict) and (folder / "records.parquet").exists()
    except (OSError, ValueError):
        return False


def require_folder_for_result(folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder of other files unless ``overwrite``: an empty one, a new one, or an earlier result is fine.

    A nightly run writes to the same folder again and again, so an earlier result is replaced without asking.
    """
    if not folder.exists():
        if folder.absolute().parent.exists() and not folder.absolute().parent.is_dir():
            raise click.UsageError(f"{folder}: {folder.absolute().parent} is a file, not a folder")
        return
    if not folder.is_dir():
        raise click.UsageError(f"{folder} is a file; give a new folder, or a file with an extension such as contacts.xlsx")
    foreign = sorted(entry.name for entry in folder.iterdir() if entry.name not in _OURS and not entry.name.startswith("."))
    if overwrite or is_result(folder) or not (foreign or any(folder.iterdir())):
        return
    example = f" ({foreign[0]}{', ...' if len(foreign) > 1 else ''})" if foreign else ""
    raise click.UsageError(f"{folder} holds other files{example}; give a new folder, or --overwrite to write beside them")


def clear_stale(folder: Path) -> None:
    """Removes what a crashed earlier run may have left behind in the folder."""
    for entry in folder.glob(".*.part"):
        if entry.is_dir():
            import shutil

            with contextlib.suppress(OSError):
                shutil.rmtree(entry)


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of a result, for commands that read one."""
    if not folder.is_dir():
        raise click.UsageError(f"{folder}: there is no such folder; `crm-engine dedupe FILES -o {folder}` writes one")
    if not is_result(folder):
        raise click.UsageError(f"{folder} holds no result of `crm-engine dedupe` (summary.json and records.parquet)")
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_bytes())
    return summary
