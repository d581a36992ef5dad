"""Which files a path means: a file, the tables of a folder, what a glob pattern matches."""

from __future__ import annotations

import difflib
import glob
import os
from pathlib import Path

from crm_engine.errors import FileFormatError
from crm_engine.table_files import ARROW_SUFFIXES, PARQUET_SUFFIXES

#: Files whose columns have types.
TYPED_SUFFIXES = (*PARQUET_SUFFIXES, *ARROW_SUFFIXES)
#: What a folder is read for: .txt and .json are as often a note or a setting as a table.
_TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_COMPRESSED_SUFFIXES = (".gz", ".zst", ".bz2", ".xz")


def paths_of(given: str) -> list[str]:
    """The files that a path, a folder or a glob pattern names; none is a ``FileNotFoundError`` that names a file of a similar name."""
    if os.path.isdir(given):
        return _files_of(given)
    if not os.path.exists(given) and glob.has_magic(given):
        found = sorted(path for path in glob.glob(given, recursive=True) if os.path.isfile(path))
        if not found:
            raise FileNotFoundError(2, "no file matches the pattern", given)
        return found
    if not os.path.exists(given):
        raise FileNotFoundError(2, f"no such file or folder{nearest_file(given)}", given)
    return [given]


def nearest_file(path: str) -> str:
    """`; did you mean 'x'?` where the folder of a missing file has one of a similar name, otherwise the empty text."""
    folder = os.path.dirname(path) or "."
    try:
        names = os.listdir(folder)
    except OSError:
        return f" (the folder {folder} does not exist either)" if not os.path.isdir(folder) else ""
    near = difflib.get_close_matches(os.path.basename(path), names, 1)
    return f"; did you mean {os.path.join(os.path.dirname(path), near[0])}?" if near else ""


def _files_of(folder: str) -> list[str]:
    """The tables of a folder: its Parquet and Arrow files, at any depth, or where it has none the text files and workbooks in it."""
    found = sorted(str(path) for path in Path(folder).rglob("*") if path.suffix.lower() in TYPED_SUFFIXES and path.is_file())
    if found:
        return found
    found = _text_tables_of(folder)
    if not found:
        known = " ".join((*TYPED_SUFFIXES[:1], *_TABLE_SUFFIXES))
        raise FileFormatError(f"{folder}: a folder without tables ({known}); name the files, or use a glob", file=folder)
    return found


def _text_tables_of(folder: str) -> list[str]:
    return sorted(str(path) for path in Path(folder).iterdir() if path.is_file() and _is_table_name(path.name))


def left_out_of(given: str) -> str | None:
    """What is to be said of the text files and workbooks beside the Parquet and Arrow files that a folder is read for, if there are any.

    Nothing is to be said of a file, a pattern, or a folder that is read for its text files and workbooks.
    """
    if not os.path.isdir(given) or not (beside := _text_tables_of(given)) or _files_of(given) == beside:
        return None
    name = os.path.basename(beside[0])
    what = f"{len(beside):,} other files of the folder were" if len(beside) > 1 else "another file of the folder was"
    suffix = "".join(Path(name).suffixes[-2:] if name.lower().endswith(_COMPRESSED_SUFFIXES) else Path(name).suffixes[-1:])
    return (
        f"{what} left out ({name}{', ...' if len(beside) > 1 else ''}): of a folder that has Parquet or Arrow files only these are read; "
        f"to read others too name them, or give a pattern such as '{os.path.join(given, '*' + suffix)}'"
    )


def _is_table_name(name: str) -> bool:
    """Whether a file of a folder is one to read: no hidden one, no lock file of an office program (``~$x.xlsx``)."""
    plain = Path(name.lower())
    if plain.suffix in _COMPRESSED_SUFFIXES:
        plain = Path(plain.stem)
    return not name.startswith((".", "~$")) and plain.suffix in _TABLE_SUFFIXES
