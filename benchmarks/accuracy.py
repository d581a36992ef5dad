"""How good the clusters are, on labelled data, with no configuration.

    python benchmarks/accuracy.py                    # the public sets beside the checkout, and generated people
    python benchmarks/accuracy.py --data unseen      # any folder of NAME/records.csv + NAME/truth.csv (`id`, `true_id`)
    python benchmarks/accuracy.py --sets febrl3 historical_50k --people 100000 1000000

The tool sees `records.csv` only, whose ids are row numbers; the truth is read here. F1 is pairwise, after closure of the clusters: every two
records of one contact are a pair. "false /10k" are the wrong pairs among 10,000 merged ones;
What the peers reach stands beside.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pacsv

import crm_engine as crm

#: F1 of Splink 5 / the best of GoldenMatch 3.22's settings / what we mean to reach.
PEERS: dict[str, tuple[str, str, float]] = {
    "febrl3": ("0.994", "0.999", 0.999),
    "febrl4": ("0.999", "0.998", 0.9995),
    "fake_1000": ("0.825", "0.89", 0.94),
    "historical_50k": ("0.827", "0.846", 0.90),
    "people_100000": ("-", "0.91", 0.985),
    "people_1000000": ("0.955", "0.91", 0.985),
}


#: The folder of public data: named, or beside the checkout or a parent of it.
SHARED = Path(
    os.environ.get("CRM_SHARED")
    or next(
        (folder.parent / "shared" for folder in list(Path(__file__).resolve().parents)[1:4] if (folder.parent / "shared").is_dir()),
        "shared",
    )
)


@dataclass
class Quality:
    """Scores of one clustering against the truth."""

    precision: float
    recall: float
    f1: float
    b_cubed: float
    false_per_10k: float


def n_pairs(codes: np.ndarray) -> int:
    """Pairs within groups of equal codes."""
    counts = np.unique(codes, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def quality(found: np.ndarray, true: np.ndarray) -> Quality:
    """Pairwise scores after closure, and B-cubed F1 (Bagga and Baldwin 1998), of two labellings of the same records."""
    found = np.unique(found, return_inverse=True)[1].astype(np.int64)
    true = np.unique(true, return_inverse=True)[1].astype(np.int64)
    both = np.unique(found * (true.max() + 1) + true, return_inverse=True)[1]
    right, proposed, wanted = n_pairs(both), n_pairs(found), n_pairs(true)
    precision = right / proposed if proposed else 1.0
    recall = right / wanted if wanted else 1.0
    sizes = [np.bincount(codes)[codes] for codes in (both, found, true)]
    b_precision, b_recall = float((sizes[0] / sizes[1]).mean()), float((sizes[0] / sizes[2]).mean())
    return Quality(
        precision,
        recall,
        2 * precision * recall / max(precision + recall, 1e-12),
        2 * b_precision * b_recall / (b_precision + b_recall),
        10_000 * (1 - precision),
    )


def read_truth(path: Path) -> dict[str, str]:
    """`id` to `true_id`."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["true_id"] for row in csv.DictReader(file)}


def measure(records: Path, truth: dict[str, str], config: dict[str, Any] | None = None) -> tuple[Quality, dict[str, Any], float]:
    """Runs `dedupe` on the records alone; quality, summary, CPU seconds."""
    began = time.process_time()
    result = crm.dedupe(str(records), config)
    table = result.records.select(["id", "contact_id"])
    cpu = time.process_time() - began
    found = table["contact_id"].to_numpy()
    true = np.array([truth[key] for key in table["id"].to_pylist()])
    if len(found) != len(truth):
        raise SystemExit(f"{records}: {len(truth)} labelled rows, {len(found)} records came out")
    return quality(found, true), result.summary, cpu


def people(n: int, generator: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """Generated people, their ids replaced by row numbers, the truth apart."""
    source = folder / f"people_{n}.csv"
    if not source.exists():
        subprocess.run([sys.executable, str(generator), str(n), "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    records = folder / f"people_{n}_records.csv"
    table = pacsv.read_csv(
        source,
        convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(["id", "phone", "postcode", "birth_date", "updated_at"], "string")),
    )
    ids = [f"r{number:08d}" for number in range(n)]
    truth = dict(zip(ids, table["true_id"].to_pylist(), strict=True))
    if not records.exists():
        pacsv.write_csv(table.drop_columns(["true_id"]).set_column(0, "id", [ids]), records)
    return records, truth


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--sets", nargs="*", help="only these folders of --data")
    parser.add_argument(
        "--people", type=int, nargs="*", default=None, help="sizes of generated people (default 100000 with the public sets)"
    )
    parser.add_argument("--generator", type=Path, default=SHARED / "peers" / "matching" / "gen_people.py")
    parser.add_argument("--people-dir", type=Path, default=Path(tempfile.gettempdir()) / "people")
    parser.add_argument("--config", help="JSON of config overrides")
    arguments = parser.parse_args()
    jobs: list[tuple[str, Path, dict[str, str]]] = []
    for folder in sorted(path.parent for path in arguments.data.glob("*/records.csv")):
        if not arguments.sets or folder.name in arguments.sets:
            jobs.append((folder.name, folder / "records.csv", read_truth(folder / "truth.csv")))
    sizes = arguments.people if arguments.people is not None else ([] if arguments.sets else [100_000])
    for n in sizes:
        if arguments.generator.exists():
            jobs.append((f"people_{n}", *people(n, arguments.generator, arguments.people_dir)))
    if not jobs:
        raise SystemExit(f"no labelled data in {arguments.data}: give --data DIR with NAME/records.csv and NAME/truth.csv")

    config = json.loads(arguments.config) if arguments.config else None
    head = [
        "data",
        "rows",
        "F1",
        "precision",
        "recall",
        "B-cubed",
        "false/10k",
        "contacts",
        "entities",
        "CPU s",
        "Splink 5",
        "GoldenMatch",
        "reach",
    ]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head), flush=True)
    for name, records, truth in jobs:
        scores, summary, cpu = measure(records, truth, config)
        splink, golden, reach = PEERS.get(name, ("", "", ""))
        cells = [name, len(truth), f"{scores.f1:.4f}", f"{scores.precision:.4f}", f"{scores.recall:.4f}", f"{scores.b_cubed:.4f}", f"{scores.false_per_10k:.1f}",
                 summary["contacts"], len(set(truth.values())), f"{cpu:.1f}", splink, golden, reach]  # fmt: skip
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
