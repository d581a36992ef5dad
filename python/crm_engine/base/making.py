"""A base is made whole, in a new or an empty folder, or not at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from crm_engine.base import schema as tables
from crm_engine.base.lake import Lake, Transaction, name_data_folder
from crm_engine.base.runs import close_to_others
from crm_engine.config import Settings, load_config
from crm_engine.errors import ConfigError
from crm_engine.model import Model

if TYPE_CHECKING:
    from crm_engine.base.base import Base, Config


def make(kind: type[Base], path: str | os.PathLike[str], model: Model | None, config: Config | Settings | None) -> Path:
    """See ``Base.create``; returns the folder of the base."""
    # `.` has no name by which the folder beside it could be called.
    folder = Path(path).absolute() if Path(path).name in ("", "..") else Path(path)
    folder = folder.resolve() if folder.name == ".." else folder
    if (folder / "catalog.sqlite").exists():
        raise ConfigError(f"{folder}: there is a base already; open it, or choose another folder")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: is no empty folder; a base is made in a new or an empty one")
    settings = config if isinstance(config, Settings) else load_config(config)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and moved there whole, so that a base is never found half-made.
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        for made in (scratch, scratch / "data", scratch / "data" / "index", scratch / "tmp"):
            made.mkdir(mode=0o700)
        lake = Lake(scratch, create=True)
        try:
            _fill(kind(scratch, lake), settings, model)
        finally:
            lake.close()
        close_to_others(scratch)
        if folder.exists():
            folder.rmdir()
        name_data_folder(scratch, folder)
        os.rename(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _fill(base: Base, settings: Settings, model: Model | None) -> None:
    """The tables and the index of an empty base."""
    transaction = Transaction(base._lake)
    try:
        tables.create_all(transaction)
        options = _index_options(settings)
        files = base._index.create(options, model.text if model is not None else None)
        base._index.register(transaction, files, 0)
        secret = os.urandom(32).hex()
        if model is not None:
            transaction.insert("models", tables.rows_to_table("models", [(0, model.text)]))
        values = [("options", options), ("secret", secret)]
        transaction.insert("meta", pa.table({"key": [k for k, _ in values], "value": [v for _, v in values]}))
        transaction.commit()
    finally:
        transaction.close()


def _index_options(settings: Settings) -> str:
    """What the index is told for good: how to resolve, and which values survive."""
    known = {"resolve": settings.resolve, "survivorship": settings.survivorship or None, "memory_limit": settings.memory_limit}
    return json.dumps({name: value for name, value in known.items() if value is not None}, sort_keys=True)
