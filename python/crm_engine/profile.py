"""``profile``: what a file holds, column by column: roles and why, fill, distinct values, invalid ones, problems."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from crm_engine import _core
from crm_engine.config import IGNORE, ColumnMapping, Settings, load_config
from crm_engine.detection import detect_roles
from crm_engine.errors import FileFormatError
from crm_engine.sources import Source, TextBatch, open_sources

Progress = Callable[[str, int, int], Any]

#: Roles whose values are masked in examples: they tell who somebody is or how to reach them.
_PERSONAL = frozenset(
    "full_name family_name given_name middle_name birth_date tax_id email phone social street source_key latitude longitude note".split()
)


#: Empty columns that a message names.
_MOST_NAMED = 6


@dataclass(frozen=True)
class ColumnProfile:
    """What is known of one column."""

    column: str
    #: Role found or given; ``None`` for a custom field.
    role: str | None
    confidence: float
    #: Why, in words.
    reasons: list[str]
    #: Share of rows with a value.
    fill_rate: float
    filled: int
    distinct: int
    #: Reason to number of rows.
    invalid: dict[str, int]
    #: Values, masked unless asked otherwise.
    examples: list[str]
    invalid_examples: list[str]
    #: Rows of the value that most rows share.
    most_shared: int
    damage: dict[str, int]
    #: Whether the column only counts rows, and so takes no part in matching.
    counts_rows: bool


@dataclass(frozen=True)
class TableProfile:
    """What is known of one table: a file, or a sheet of a workbook."""

    name: str
    rows: int
    #: Whether all rows were looked at.
    complete: bool
    #: Format, encoding, dialect, header row and why, as the reader found them.
    file: dict[str, Any]
    columns: list[ColumnProfile]
    problems: list[str]

    def roles(self) -> dict[str, str]:
        """Column to role, for the columns that have one."""
        return {column.column: column.role for column in self.columns if column.role is not None}


@dataclass(frozen=True)
class Profile:
    """The tables of a source.

    >>> import pyarrow as pa
    >>> found = profile(pa.table({"Vārds": ["Anna", "Jānis"], "E-pasts": ["anna@inbox.lv", "janis@inbox.lv"]}))
    >>> found.roles()
    {'Vārds': 'given_name', 'E-pasts': 'email'}
    """

    tables: list[TableProfile] = field(default_factory=list)

    def roles(self) -> dict[str, str]:
        """Column to role over all tables."""
        return {column: role for table in self.tables for column, role in table.roles().items()}

    def to_dict(self) -> dict[str, Any]:
        """The profile as plain values, for JSON."""
        return asdict(self)

    def mapping_yaml(self) -> str:
        """A mapping file to edit: every column with its role, and how the file was read."""
        return _mapping_yaml(self)


def profile(
    source: Any,
    *,
    mapping: str | os.PathLike[str] | Mapping[str, Any] | ColumnMapping | None = None,
    show_values: bool = False,
    max_rows: int | None = 1_000_000,
    phone_region: str | None = None,
    date_order: str | None = None,
    progress: Progress | None = None,
) -> Profile:
    """Looks at a source (anything that ``dedupe`` takes) and tells what its columns mean and what is wrong with it.

    ``mapping`` overrides what is found. Examples are masked unless ``show_values``. Of each table the first ``max_rows`` rows are
    looked at, or all with ``None``. ``phone_region`` and ``date_order`` are those of the config: with them numbers are checked against a
    country's, and dates that can be read in two ways are no problem.
    """
    settings = load_config(mapping=mapping, phone_region=phone_region, date_order=date_order)
    said = settings.mapping
    sources = open_sources(source, said.read, progress=progress)
    said.check_columns(dict.fromkeys(column for table in sources for column in table.columns))
    tables = [_profile_table(table, settings, show_values, max_rows, progress) for table in sources]
    if tables and not any(table.rows or table.file.get("counts", {}).get("rejected") for table in tables):
        raise FileFormatError(f"{tables[0].name}: the input has no rows", file=tables[0].name)
    return Profile(tables)


class _Head:
    """The first rows of a source as batches of text."""

    def __init__(self, source: Source, max_rows: int | None) -> None:
        self._batches = source.batches()
        self._left = max_rows
        self.complete = True
        self.n_rows = 0

    def __iter__(self) -> Iterator[Any]:
        for text in self._batches:
            batch = self._cut(text)
            if batch.num_rows:
                self.n_rows += batch.num_rows
                yield TextBatch(batch, text.source_rows[: batch.num_rows])
            if not self.complete:
                return

    def _cut(self, text: TextBatch) -> Any:
        batch = text.batch
        if self._left is None:
            return batch
        if batch.num_rows > self._left:
            self.complete = False
            batch = batch.slice(0, self._left)
        self._left -= batch.num_rows
        return batch


def _profile_table(source: Source, settings: Settings, show_values: bool, max_rows: int | None, progress: Progress | None) -> TableProfile:
    said, resolve = settings.mapping, settings.resolve
    head = _Head(source, max_rows)
    found, batches = detect_roles(source, iter(head))
    roles = said.apply([(column["column"], column["role"]) for column in found])
    stream = pa.RecordBatchReader.from_batches(source.schema, (text.batch for text in batches))
    facts = json.loads(_core.column_facts(stream, [role for _, role in roles], progress, resolve.get("phone_region")))
    columns = [_column(detected, role, column, said, show_values) for detected, (_, role), column in zip(found, roles, facts, strict=True)]
    report = source.report()
    problems = [*report.get("warnings", []), *_problems(columns, facts, head.n_rows, has_date_order="date_order" in resolve)]
    return TableProfile(source.name, head.n_rows, head.complete, report, columns, problems)


def _column(detected: dict[str, Any], role: str | None, facts: dict[str, Any], said: ColumnMapping, show_values: bool) -> ColumnProfile:
    name = detected["column"]
    given = name in said.columns
    reasons = [f"the mapping says {said.columns[name] or 'custom'}"] if given else detected["reasons"]
    if not given and role != detected["role"]:
        reasons = ["the mapping gives its role to another column"]
    # A custom field may hold anything: it is masked like a personal one unless its values are few.
    personal = role in _PERSONAL or (role is None and facts["distinct"] > 12)
    tell = (lambda text: text) if show_values or not personal else masked
    counts_rows = detected["counts_rows"] and role is None
    return ColumnProfile(
        column=name,
        role=role,
        confidence=1.0 if given else detected["confidence"],
        reasons=reasons,
        fill_rate=facts["filled"] / facts["rows"] if facts["rows"] else 0.0,
        filled=facts["filled"],
        distinct=facts["distinct"],
        invalid=facts["invalid"],
        examples=[tell(text) for text in facts["examples"]],
        invalid_examples=[text if show_values else masked(text) for text in facts["invalid_examples"]],
        most_shared=facts["most_shared"],
        damage=facts["damage"],
        counts_rows=counts_rows or said.columns.get(name) == IGNORE,
    )


def masked(text: str) -> str:
    """A value that shows its shape and not what it says: the first letter of each word stays, digits and letters turn to marks.

    >>> masked("Anna Ozola"), masked("anna@inbox.lv"), masked("+371 29-555-123")
    ('A••• O••••', 'a•••@i••••.l•', '+••• ••-•••-•••')
    """
    shown = []
    previous = " "
    for char in text:
        if char.isdigit():
            shown.append("•")
        elif char.isalpha():
            shown.append("•" if previous.isalnum() else char)
        else:
            shown.append(char)
        previous = char
    return "".join(shown)


def _problems(columns: list[ColumnProfile], facts: list[dict[str, Any]], n_rows: int, *, has_date_order: bool) -> list[str]:
    problems = []
    roles = {column.role for column in columns}
    if n_rows and "source_key" not in roles:
        problems.append(
            "no key column: an edited row reads as a new one and one that is gone; name the column that identifies a row as source_key"
        )
    if n_rows and not roles & {"email", "phone", "tax_id", "full_name", "family_name", "given_name", "company_name"}:
        problems.append("no name, e-mail, phone or tax id was found: say in a mapping which columns hold them")
    for column, fact in zip(columns, facts, strict=True):
        quoted = f"'{column.column}'"
        n_invalid = sum(column.invalid.values())
        if column.filled and n_invalid / column.filled > 0.02:
            worst = max(column.invalid, key=lambda reason: column.invalid[reason])
            problems.append(f"{quoted}: {n_invalid:,} of {column.filled:,} values are no valid {column.role} (most: {worst})")
        dates = fact["dates"]
        if dates["day_first"] and dates["month_first"]:
            problems.append(
                f"{quoted}: mixed date orders, {dates['day_first']:,} with the day first and "
                f"{dates['month_first']:,} with the month first; {dates['ambiguous']:,} can be read in both ways"
            )
        elif dates["ambiguous"] and not dates["day_first"] and not dates["month_first"] and not has_date_order:
            problems.append(
                f"{quoted}: {dates['ambiguous']:,} dates can be read in two ways and none shows which; say which with date_order=..."
            )
        for damage, count in column.damage.items():
            problems.append(f"{quoted}: {count:,} {damage}")
        if column.role in ("phone", "email", "tax_id") and fact["shared_values"]:
            what = {"phone": "telephones", "email": "e-mail addresses", "tax_id": "tax ids"}[column.role]
            problems.append(
                f"{quoted}: {fact['shared_values']:,} {what} stand in eight rows and more (one in {column.most_shared:,}); "
                "shared ones weigh little"
            )
        if fact["placeholders"] and fact["placeholders"] >= max(3, n_rows // 50):
            problems.append(f"{quoted}: {fact['placeholders']:,} placeholders such as n/a are read as missing")
    empty = [column.column for column in columns if column.filled == 0] if n_rows else []
    if empty:
        shown = ", ".join(f"'{name}'" for name in empty[:_MOST_NAMED]) + (
            f" and {len(empty) - _MOST_NAMED} more" * (len(empty) > _MOST_NAMED)
        )
        problems.append(f"{len(empty)} {'column has' if len(empty) == 1 else 'columns have'} no value at all: {shown}")
    return problems


def _mapping_yaml(found: Profile) -> str:
    lines = [
        "# What the columns mean. Edit the roles and give the file to `crm-engine dedupe --mapping`.",
        f"# Roles: {', '.join(_core.role_names())};",
        "# custom keeps a column as a custom field, ignore besides that keeps it out of matching.",
    ]
    columns: dict[str, tuple[str, str]] = {}
    for table in found.tables:
        for column in table.columns:
            role = column.role or (IGNORE if column.counts_rows else "custom")
            columns.setdefault(column.column, (role, column.reasons[0] if column.reasons else ""))
    lines.append("columns:")
    written = {name: json.dumps(name, ensure_ascii=False) for name in columns}
    width = max((len(text) for text in written.values()), default=0) + 1
    for name, (role, reason) in columns.items():
        comment = "".join(char if char.isprintable() else " " for char in reason)
        lines.append(f"  {written[name] + ':':<{width}} {role:<18}# {comment}")
    if len(found.tables) == 1:
        lines += _read_lines(found.tables[0].file)
    return "\n".join(lines) + "\n"


def _read_lines(report: dict[str, Any]) -> list[str]:
    """How the file was read, as comments: detection is right unless somebody says otherwise."""
    dialect = report.get("dialect") or {}
    known = {
        "encoding": report.get("encoding"),
        "delimiter": dialect.get("delimiter") or None,
        "quote": dialect.get("quote"),
        "header_row": report.get("header_row"),
        "sheet": report.get("sheet"),
    }
    lines = ["# How the file was read; take a # away to insist on it."]
    lines += [f"# {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in known.items() if value is not None]
    return lines if len(lines) > 1 else []


def write_mapping(found: Profile, path: str | os.PathLike[str]) -> None:
    """Writes the mapping file, whole or not at all."""
    from crm_engine.output import atomic_file

    with atomic_file(path) as scratch:
        Path(scratch).write_text(found.mapping_yaml(), encoding="utf-8")
