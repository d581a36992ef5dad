"""Measures `crm-engine reconcile` on two workbooks of 500,000 rows, beside the bare reading and writing of those workbooks.

    python benchmarks/reconcile_speed.py [--rows 500000] [--people FILE.csv] [--peer-python PYTHON] [--repeat 1]

The lists are made of a `gen_people` CSV (or of this project's demo): two in three people are on both sides, the right list
writes names, telephones and dates in another way and has other values in one row of five. Bare reading is fastexcel
(`load_sheet` of text, in the interpreter `--peer-python` if this one lacks it), bare writing the example `bare_writer` of
crm-files: rust_xlsxwriter with constant memory. Each step is a process of its own; figures are CPU seconds, user and system,
children included. The aim is a run within 2.5 times of the bare work.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from record_run import header, record_path

ROOT = Path(__file__).resolve().parent.parent
AIM = 2.5
READ = (
    "import sys, fastexcel\nfor path in sys.argv[1:]:\n"
    "    print(fastexcel.read_excel(path).load_sheet(0, dtypes='string').to_arrow().num_rows)"
)


def cpu_of(command: list[str]) -> tuple[float, float]:
    """CPU and wall seconds of a process."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - started


def make_lists(people: Path, n_rows: int, folder: Path) -> None:
    """Two workbooks, and the same rows as tab-separated text for the bare writer."""
    import pyarrow as pa
    import pyarrow.csv

    from crm_engine.output import write_table

    draw = random.Random(7)
    options = pa.csv.ConvertOptions(column_types={}, strings_can_be_null=True, auto_dict_encode=False)
    rows = [row for batch in pa.csv.open_csv(people, convert_options=options) for row in batch.to_pylist()][: 2 * n_rows]
    columns = [
        "first_name",
        "last_name",
        "middle_name",
        "email",
        "phone",
        "company",
        "city",
        "street",
        "postcode",
        "birth_date",
        "updated_at",
    ]
    rows = [{name: "" if row[name] is None else str(row[name]) for name in columns} for row in rows]
    n_both = n_rows * 2 // 3
    left = rows[:n_rows]
    right = [in_another_way(row, draw) for row in rows[:n_both]] + rows[n_rows : 2 * n_rows - n_both]
    draw.shuffle(right)
    for side, of_side, first in (("left", left, 1), ("right", right, 10_000_001)):
        table = pa.table({"id": [str(first + place) for place in range(len(of_side))]} | {c: [row[c] for row in of_side] for c in columns})
        write_table(table, folder / f"{side}.xlsx")
        with open(folder / f"{side}.tsv", "w", encoding="utf-8") as text:
            text.write("\t".join(table.column_names) + "\n")
            for row in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
                text.write("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row) + "\n")


def in_another_way(row: dict[str, str], draw: random.Random) -> dict[str, str]:
    """The same person as another system would have it."""
    other = dict(row)
    other["last_name"] = row["last_name"].upper()
    other["phone"] = row["phone"].replace(" ", "").replace("-", "").replace("(", "").replace(")", "")
    if len(row["birth_date"]) == 10 and row["birth_date"][4] == "-":
        year, month, day = row["birth_date"].split("-")
        other["birth_date"] = f"{day}.{month}.{year}"
    other["updated_at"] = "2025-01-01T00:00:00"
    if draw.random() < 0.2:
        other["email"] = f"new{draw.randrange(10**8)}@example.com"
        other["city"] = draw.choice(["Rīga", "Омск", "Leeds", "Berlin"])
    return other


def main() -> int:
    """Makes the lists, measures, records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--people", type=Path)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--work", type=Path, help="keep the lists here and use them again")
    options = parser.parse_args()
    bare = ROOT / "target" / "release" / "examples" / "bare_writer"
    subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "crm-files", "--example", "bare_writer"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.work or Path(scratch)
        folder.mkdir(exist_ok=True)
        if not (folder / "right.tsv").exists():
            people = options.people
            if people is None:
                subprocess.run(
                    [sys.executable, "-m", "crm_engine.cli", "demo", "-o", str(folder / "demo"), "--rows", str(3 * options.rows)],
                    check=True,
                )
                people = folder / "demo" / "hubspot_contacts.csv"
            make_lists(people, options.rows, folder)
        left, right, diff = folder / "left.xlsx", folder / "right.xlsx", folder / "diff.xlsx"
        command = [str(Path(sys.executable).parent / "crm-engine"), "reconcile", str(left), str(right), "-o", str(diff), "-q"]
        read, write, whole = [], [], []
        for _ in range(options.repeat):
            read.append(cpu_of([options.peer_python, "-c", READ, str(left), str(right)]))
            of_side = [cpu_of([str(bare), str(folder / f"{side}.tsv"), str(folder / f"bare_{side}.xlsx")]) for side in ("left", "right")]
            write.append((sum(cpu for cpu, _ in of_side), sum(wall for _, wall in of_side)))
            whole.append(cpu_of(command))
        lines = [f"two workbooks of {options.rows:,} rows and 12 columns, {left.stat().st_size >> 20} and {right.stat().st_size >> 20} MiB"]
        for name, figures in (("fastexcel reads both", read), ("rust_xlsxwriter writes both", write), ("crm-engine reconcile", whole)):
            lines.append(f"{name:30} {median(cpu for cpu, _ in figures):8.1f} CPU s {median(wall for _, wall in figures):8.1f} s wall")
        yardstick = median(cpu for cpu, _ in read) + median(cpu for cpu, _ in write)
        ratio = median(cpu for cpu, _ in whole) / yardstick
        lines.append(f"reconcile takes {ratio:.2f} times the CPU of the bare reading and writing; the aim is {AIM}")
        lines.append(f"its workbook has {diff.stat().st_size >> 20} MiB; load average {os.getloadavg()[0]:.1f}")
    text = "\n".join(lines)
    print(text)
    if options.rows >= 500_000:
        command_line = f"benchmarks/reconcile_speed.py --rows {options.rows} --repeat {options.repeat}"
        record_path("reconcile-speed").write_text(header(command_line) + "\n" + text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
