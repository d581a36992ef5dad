"""``evaluate``: how right a result is, by one's own labels.

Labels are a table in one of two forms:

- **who each record is**: a column of true ids (``true_id``, ``cluster``, ``entity_id``, ...) beside the columns that say which record is
  meant: ``record_id``, or ``source_file`` and ``source_row``, or ``source_key`` (with ``source_file`` where keys repeat), or any column
  of the input whose values are unique;
- **pairs**: ``record_id_a``, ``record_id_b`` and whether they are the ``same`` or ``different``.

Labels may cover a sample. A sample of whole true clusters gives estimates for all data, with confidence intervals (Binette et al.,
arXiv 2404.05622: ratio estimators over clusters sampled at random, their variance by the delta method).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crm_engine.config import nearest
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.result import DedupeResult
from crm_engine.sources import open_sources

_TRUTH = (
    "true_id",
    "truth",
    "true_cluster",
    "cluster",
    "cluster_id",
    "entity_id",
    "entity",
    "person_id",
    "label",
    "golden_id",
    "true_contact_id",
)
_PAIR_LABELS = ("label", "same", "decision", "is_match", "match", "is_same", "same_contact")
_SAME = frozenset({"same", "true", "1", "yes", "match", "y", "t", "да", "jā"})
_DIFFERENT = frozenset({"different", "false", "0", "no", "non-match", "nonmatch", "n", "f", "split", "нет", "nē", "distinct"})
#: Two-sided 95 % of the normal distribution.
_Z = 1.959963984540054

Interval = tuple[float, float]


@dataclass(frozen=True)
class Evaluation:
    """Figures between 0 and 1; intervals hold the true figure in 95 of 100 samples and are ``None`` where nothing was sampled."""

    precision: float | None
    recall: float | None
    f1: float | None
    b_cubed_precision: float | None
    b_cubed_recall: float | None
    b_cubed_f1: float | None
    #: Of 10,000 pairs that were merged automatically, those that are different contacts.
    false_merges_per_10000: float | None
    true_positives: float
    false_positives: float
    false_negatives: float
    #: Records (or pairs) that labels name and the result holds.
    labelled: int
    #: Labels that name no record of the result.
    unknown: int
    records: int
    #: ``all records``, ``a sample of clusters``, ``a sample of records``, or ``pairs``.
    labels: str
    intervals: dict[str, Interval] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values, for JSON."""
        return asdict(self)


def evaluate(
    result: DedupeResult | str | os.PathLike[str],
    labels: Any,
    *,
    sampled_by: Literal["clusters", "records"] = "clusters",
) -> Evaluation:
    """Compares a result (of ``dedupe``, or a folder that ``DedupeResult.write`` wrote) with labels: a table or a file of them.

    Where labels cover only some records, ``sampled_by`` says how they were chosen: whole true clusters, which allows estimates for all
    data, or single records, which are then judged only among themselves.
    """
    predicted = _Predicted.of(result)
    table = _label_table(labels)
    if any(name.endswith("_a") and name[:-2] + "_b" in table.column_names for name in table.column_names):
        return _evaluate_pairs(predicted, table)
    return _evaluate_clusters(predicted, table, sampled_by)


class _Predicted:
    """The records of a result and the contact of each."""

    def __init__(self, records: pa.Table, roles: Mapping[str, Mapping[str, str | None]]) -> None:
        self.records = records
        self._roles = roles
        codes = records.column("contact_id").combine_chunks().dictionary_encode()
        if isinstance(codes, pa.ChunkedArray):
            codes = codes.combine_chunks()
        self.contacts = np.asarray(codes.indices)

    @classmethod
    def of(cls, result: DedupeResult | str | os.PathLike[str]) -> _Predicted:
        if isinstance(result, DedupeResult):
            records, summary = result.records, result.summary
        else:
            folder = Path(result)
            try:
                records = pq.read_table(folder / "records.parquet")
                summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            except FileNotFoundError:
                raise ConfigError(f"{folder}: holds no result of `crm-engine dedupe` (records.parquet and summary.json)") from None
        return cls(records, {source["file"]: source.get("roles", {}) for source in summary.get("sources", [])})

    def key(self, name: str) -> pa.Array | None:
        """The column of records that labels call ``name``, as text; ``None`` if there is none."""
        if name == "source_key" and name not in self.records.column_names:
            return self._source_key()
        if name not in self.records.column_names:
            return None
        return _text(self.records.column(name))

    def _source_key(self) -> pa.Array | None:
        names = {column for roles in self._roles.values() for column, role in roles.items() if role == "source_key"}
        columns = [_text(self.records.column(name)) for name in sorted(names) if name in self.records.column_names]
        return pc.coalesce(*columns) if columns else None

    def find(self, labels: pa.Table, keys: list[str], label_keys: list[str] | None = None) -> np.ndarray:
        """Per label the row of its record, -1 where there is none."""
        ours, theirs = [], []
        for name, label_name in zip(keys, label_keys or keys, strict=True):
            column, label = self.key(name), _text(labels.column(label_name))
            if column is None:
                known = [*self.records.column_names, "source_key"]
                raise SchemaError(
                    f"labels: '{label_name}' is no column of the records{nearest(name, known)}; give record_id, or a key of the input"
                )
            if name == "source_file":
                column, label = _same_files(column, label)
            ours.append(column)
            theirs.append(label)
        mine, wanted = _join(ours), _join(theirs)
        if len(pc.unique(mine)) < len(mine) - mine.null_count:
            found = pc.value_counts(mine.drop_null())
            repeated = pa.array(found.field("values")).filter(pc.greater(found.field("counts"), 1))
            if pc.any(pc.is_in(wanted, value_set=repeated)).as_py():
                raise SchemaError(f"labels: {' and '.join(keys)} does not tell the records apart; add source_file, or use record_id")
        places = pc.fill_null(pc.index_in(wanted, value_set=mine, skip_nulls=True), -1)
        return np.asarray(places).astype(np.int64)


def _same_files(ours: pa.Array, theirs: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Files by their whole names where these meet, otherwise without their folders."""
    if pc.any(pc.is_in(theirs, value_set=pc.unique(ours))).as_py():
        return ours, theirs
    return tuple(pc.replace_substring_regex(column, r"^.*[/\\]", "") for column in (ours, theirs))


def _text(column: Any) -> pa.Array:
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return pc.utf8_trim_whitespace(column.cast(pa.string()))


def _join(columns: list[pa.Array]) -> pa.Array:
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, "\x1f")


def _label_table(labels: Any) -> pa.Table:
    sources = open_sources(labels)
    if len(sources) != 1:
        raise ConfigError("labels must be one table")
    table = pa.Table.from_batches([text.batch for text in sources[0].batches()], sources[0].schema)
    if table.num_rows == 0:
        raise ConfigError(f"{sources[0].name}: has no labels")
    return table


def _evaluate_clusters(predicted: _Predicted, labels: pa.Table, sampled_by: str) -> Evaluation:
    truth = next((name for wanted in _TRUTH for name in labels.column_names if name.lower() == wanted), None)
    if truth is None:
        raise SchemaError(f"labels: no column of true ids (one of {', '.join(_TRUTH[:5])}) among {', '.join(labels.column_names)}")
    keys = [name for name in labels.column_names if name != truth]
    for sufficient in (["record_id"], ["source_file", "source_row"], ["source_file", "source_key"], ["source_key"]):
        if all(name in keys and predicted.key(name) is not None for name in sufficient):
            keys = sufficient
            break
    else:
        keys = [name for name in keys if predicted.key(name) is not None]
        if not keys:
            raise SchemaError(
                f"labels: none of the columns {', '.join(labels.column_names)} says which record is meant; "
                "give record_id, or a key of the input"
            )
    rows = predicted.find(labels, keys)
    known = (rows >= 0) & np.asarray(pc.is_valid(labels.column(truth)))
    if not known.any():
        raise SchemaError(f"labels: no {' and '.join(keys)} of the labels is found in the records")
    rows, places = np.unique(rows[known], return_index=True)
    true_ids = _text(labels.column(truth)).filter(pa.array(known)).take(pa.array(places))
    true = np.asarray(true_ids.dictionary_encode().indices)
    n_records = len(predicted.contacts)
    complete = len(rows) == n_records
    sample = "all records" if complete else f"a sample of {sampled_by}"
    contacts = predicted.contacts[rows]
    sizes = np.bincount(contacts if sampled_by == "records" else predicted.contacts, minlength=int(predicted.contacts.max()) + 1)
    figures = _cluster_figures(true, contacts, sizes)
    return _from_sums(figures, len(rows), int((~known).sum()), n_records, sample, with_intervals=not complete and sampled_by == "clusters")


def _cluster_figures(true: np.ndarray, contacts: np.ndarray, sizes: np.ndarray) -> dict[str, np.ndarray]:
    """Per true cluster: right pairs, merged pairs that touch it (each counted half), true pairs, records, and the sums of B-cubed.

    ``sizes`` are those of the predicted contacts over all records that count.
    """
    n_clusters = int(true.max()) + 1
    cells, counts = np.unique(np.stack([true, contacts]), axis=1, return_counts=True)
    of_cluster, of_contact = cells
    counts = counts.astype(float)
    size = sizes[of_contact].astype(float)

    def per_cluster(values: np.ndarray) -> np.ndarray:
        return np.bincount(of_cluster, weights=values, minlength=n_clusters)

    records = per_cluster(counts)
    return {
        "right": per_cluster(counts * (counts - 1) / 2),
        "merged": per_cluster(counts * (size - 1) / 2),
        "true": records * (records - 1) / 2,
        "records": records,
        "b_precision": per_cluster(counts * counts / size),
        "b_recall": per_cluster(counts * counts) / records,
    }


def _from_sums(
    figures: dict[str, np.ndarray], labelled: int, unknown: int, records: int, sample: str, *, with_intervals: bool
) -> Evaluation:
    right, merged, true, size = (figures[name] for name in ("right", "merged", "true", "records"))
    ratios = {
        "precision": (right, merged),
        "recall": (right, true),
        "f1": (2 * right, merged + true),
        "b_cubed_precision": (figures["b_precision"], size),
        "b_cubed_recall": (figures["b_recall"], size),
        "false_merges_per_10000": (10_000 * (merged - right), merged),
    }
    values = {name: _ratio(above, below) for name, (above, below) in ratios.items()}
    b_precision, b_recall = values["b_cubed_precision"] or 0.0, values["b_cubed_recall"] or 0.0
    most = {"false_merges_per_10000": 10_000.0}
    intervals = None
    if with_intervals:
        found = {name: ratio_interval(above, below, most.get(name, 1.0)) for name, (above, below) in ratios.items()}
        intervals = {name: interval for name, interval in found.items() if interval is not None}
    return Evaluation(
        **values,
        b_cubed_f1=2 * b_precision * b_recall / (b_precision + b_recall) if b_precision + b_recall else None,
        true_positives=float(right.sum()),
        false_positives=float((merged - right).sum()),
        false_negatives=float((true - right).sum()),
        labelled=labelled,
        unknown=unknown,
        records=records,
        labels=sample,
        intervals=intervals,
    )


def _ratio(above: np.ndarray, below: np.ndarray) -> float | None:
    total = float(below.sum())
    return float(above.sum()) / total if total else None


def ratio_interval(above: np.ndarray, below: np.ndarray, most: float = 1.0) -> Interval | None:
    """The 95 % interval of ``sum(above) / sum(below)`` over clusters sampled at random, by the delta method; within 0 and ``most``."""
    n, total = len(below), float(below.sum())
    if n < 2 or not total:
        return None
    ratio = float(above.sum()) / total
    residual = above - ratio * below
    spread = math.sqrt(float(residual.var(ddof=1)) / n) / (total / n)
    return max(0.0, ratio - _Z * spread), min(most, ratio + _Z * spread)


def wilson_interval(hits: float, n: float) -> Interval | None:
    """Wilson's 95 % interval of a share.

    >>> wilson_interval(0, 0) is None
    True
    >>> tuple(round(bound, 3) for bound in wilson_interval(9, 10))
    (0.596, 0.982)
    """
    if not n:
        return None
    share = hits / n
    centre = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z / (1 + _Z * _Z / n) * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _evaluate_pairs(predicted: _Predicted, labels: pa.Table) -> Evaluation:
    keys = [name[:-2] for name in labels.column_names if name.endswith("_a") and name[:-2] + "_b" in labels.column_names]
    label = next((name for wanted in _PAIR_LABELS for name in labels.column_names if name.lower() == wanted), None)
    if label is None:
        raise SchemaError(f"labels: pairs need a column 'label' that says same or different, among {', '.join(labels.column_names)}")
    if "record_id" in keys:
        keys = ["record_id"]
    a = predicted.find(labels, keys, [f"{key}_a" for key in keys])
    b = predicted.find(labels, keys, [f"{key}_b" for key in keys])
    same = np.array([_is_same(value, row) for row, value in enumerate(labels.column(label).to_pylist(), 1)], dtype=float)
    known = (a >= 0) & (b >= 0) & ~np.isnan(same)
    if not known.any():
        raise SchemaError(f"labels: no pair of the labels is found in the records by {' and '.join(keys)}")
    merged = predicted.contacts[a[known]] == predicted.contacts[b[known]]
    truth = same[known] == 1
    right, wrong, missed = (float(np.sum(these)) for these in (merged & truth, merged & ~truth, ~merged & truth))
    found = {
        "precision": wilson_interval(right, right + wrong),
        "recall": wilson_interval(right, right + missed),
        "false_merges_per_10000": _scaled(wilson_interval(wrong, right + wrong)),
    }
    return Evaluation(
        precision=_share(right, right + wrong),
        recall=_share(right, right + missed),
        f1=_share(2 * right, 2 * right + wrong + missed),
        b_cubed_precision=None,
        b_cubed_recall=None,
        b_cubed_f1=None,
        false_merges_per_10000=None if not right + wrong else 10_000 * wrong / (right + wrong),
        true_positives=right,
        false_positives=wrong,
        false_negatives=missed,
        labelled=int(known.sum()),
        unknown=int((~known).sum()),
        records=len(predicted.contacts),
        labels="pairs",
        intervals={name: interval for name, interval in found.items() if interval is not None},
    )


def _scaled(interval: Interval | None) -> Interval | None:
    return None if interval is None else (10_000 * interval[0], 10_000 * interval[1])


def _share(above: float, below: float) -> float | None:
    return above / below if below else None


def _is_same(value: str | None, row: int) -> float:
    word = (value or "").strip().lower()
    if word in _SAME:
        return 1.0
    if word in _DIFFERENT:
        return 0.0
    if word in ("", "later", "review", "unknown", "?"):
        return math.nan
    raise SchemaError(f"labels, row {row}: a pair is 'same' or 'different', and the label says something else")


def metrics_of(true: Iterable[Any], predicted: Iterable[Any]) -> Evaluation:
    """The figures of two partitions of the same records, given as one label per record.

    >>> metrics_of([1, 1, 2, 2], ["a", "a", "a", "b"]).precision
    0.3333333333333333
    """
    _, true_codes = np.unique(np.array([str(value) for value in true]), return_inverse=True)
    _, contacts = np.unique(np.array([str(value) for value in predicted]), return_inverse=True)
    figures = _cluster_figures(true_codes, contacts, np.bincount(contacts))
    return _from_sums(figures, len(true_codes), 0, len(true_codes), "all records", with_intervals=False)
