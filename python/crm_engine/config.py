"""Settings of a run: read from YAML or a dict, checked key by key, and told as a JSON Schema.

One declaration, ``CONFIG``, says which keys there are, of which kind, and what they mean; the checks, the schema for editors and
``docs/config.md`` all come from it. ``Settings`` is what a run works with, after defaults and sizes are resolved.

>>> load_config({"match_threshold": 0.95, "memory_limit": "2GiB"}).memory_limit
2147483648
>>> load_config({"match_treshold": 0.95})
Traceback (most recent call last):
    ...
crm_engine.errors.ConfigError: unknown key 'match_treshold'; did you mean 'match_threshold'?
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crm_engine import _core
from crm_engine.config_kinds import Choice, Key, ListOf, MapOf, Number, Section, Size, Text
from crm_engine.config_kinds import nearest as nearest
from crm_engine.errors import ConfigError
from crm_engine.yaml_tree import Node, from_object, parse_yaml

#: Roles that a mapping may give to a column, beside the roles of contacts.
CUSTOM = "custom"
IGNORE = "ignore"


STRATEGIES = ("most_recent", "most_frequent", "most_complete", "source_priority", "first", "min", "max", "union")

#: What a run may be told about resolving; the kernel knows the same keys.
RESOLVE_KEYS: dict[str, Key] = {
    "match_threshold": Key(Number(0.5, 1), "Match probability at and above which two records are held to be the same contact.", 0.9),
    "review_threshold": Key(Number(0, 1), "Match probability at and above which a pair goes to review; at most match_threshold.", 0.3),
    "ignore": Key(
        ListOf(Text()), "Columns, as named in the input, or roles that take no part in matching; the output has them all the same."
    ),
    "unique_sources": Key(
        ListOf(Text()), "Sources without duplicates of their own: two of their records are never the same contact. '*' means every source."
    ),
    "pairs_per_record": Key(
        Number(0, 100_000), "Candidate pairs that blocking may propose per record: fewer is faster, more finds more.", 6.0
    ),
    "min_pairs": Key(Number(0, 2**63, whole=True), "Candidate pairs that blocking may propose however few records there are.", 5_000_000),
    "phone_region": Key(
        Text(), "Two-letter country whose numbering plan national telephone numbers follow; found from the data otherwise."
    ),
    "date_order": Key(
        Choice(("dmy", "mdy", "ymd")), "How dates are read that can be read in two ways; found from the data, or kept ambiguous, otherwise."
    ),
    "seed": Key(Number(0, 2**63, whole=True), "Another seed fits the model on other pairs; the same seed and data give the same model.", 0),
    "weights": Key(
        MapOf(MapOf(Number(-100, 100))), "Weights, in bits, to use for a level instead of the fitted ones: comparison, level, weight."
    ),
}

_READ_KEYS: dict[str, Key] = {
    "encoding": Key(Text(), "Encoding of text files (utf-8, cp1251, ...); detected otherwise."),
    "delimiter": Key(Text(), "Delimiter of text files, one or several characters, or 'tab'; detected otherwise."),
    "quote": Key(Text(may_be_empty=True), "Quote character of text files; the empty text means that there is none."),
    "header_row": Key(Number(0, 2**31, whole=True), "Row of the header, from 1; 0 means that there is none."),
    "skip_rows": Key(Number(0, 2**31, whole=True), "Rows at the top that are no data."),
    "sheet": Key(Text(), "The one sheet of a workbook to read, by name or by number from 1; all of them otherwise."),
}


def _mapping_keys() -> dict[str, Key]:
    columns = MapOf(Choice((*role_names(), CUSTOM, IGNORE)), nullable=True)
    meaning = (
        "Column, as named in the input, to role. `custom` keeps it as a custom field, `ignore` besides that keeps it out of matching. "
        "Columns that are not named get the role that was found."
    )
    return {"columns": Key(columns, meaning), **_READ_KEYS}


def role_names() -> tuple[str, ...]:
    """The canonical roles, in the order in which golden records show them."""
    return tuple(_core.role_names())


MAPPING = Section(_mapping_keys())

CONFIG = Section(
    {
        **RESOLVE_KEYS,
        "survivorship": Key(
            Section(
                {
                    "default": Key(
                        Choice(STRATEGIES),
                        "For fields not named: most_recent where a record of the contact has updated_at, most_frequent otherwise.",
                    ),
                    "fields": Key(MapOf(Choice(STRATEGIES)), "Role or custom column to strategy."),
                    "source_priority": Key(ListOf(Text()), "Sources from the most to the least trusted, for source_priority."),
                }
            ),
            "Which value of several a golden record takes.",
        ),
        "max_cluster_share": Key(Number(0, 1), "End the run if one contact would take more than this share of all rows."),
        "memory_limit": Key(Size(), "Keep below this much memory, spooling the rest to disk."),
        "tmp_dir": Key(Text(), "Where to spool; the system's folder for temporary files otherwise."),
        "source_name": Key(Text(), "What to call the source of all inputs that have no source column; each file's name otherwise."),
        "mapping": Key(MAPPING, "What the columns mean and how the files are read: the same keys as in a mapping file."),
    }
)


@dataclass(frozen=True)
class ColumnMapping:
    """A user's word on columns and files, as typed: only what was said, nothing found out."""

    columns: dict[str, str | None] = field(default_factory=dict)
    read: dict[str, Any] = field(default_factory=dict)

    def check_columns(self, known: Iterable[str]) -> None:
        """Refuses columns that no input has, naming the nearest."""
        known = list(known)
        for column in self.columns:
            if column not in known:
                raise ConfigError(f"mapping: the input has no column '{column}'{nearest(column, known)}")

    def apply(self, found: Sequence[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
        """The roles found, overridden by what the user said; a role of one column leaves the column it was found in."""
        claimed = {
            role for column, role in self.columns.items() if role not in (None, CUSTOM, IGNORE) and any(column == name for name, _ in found)
        }
        single = claimed - set(_core.list_roles())
        roles = []
        for name, role in found:
            if name in self.columns:
                said = self.columns[name]
                roles.append((name, None if said in (CUSTOM, IGNORE) else said))
            else:
                roles.append((name, None if role in single else role))
        return roles

    @property
    def ignored(self) -> list[str]:
        """Columns that take no part in matching."""
        return [column for column, role in self.columns.items() if role == IGNORE]


@dataclass(frozen=True)
class Settings:
    """What a run works with."""

    resolve: dict[str, Any] = field(default_factory=dict)
    survivorship: dict[str, Any] = field(default_factory=dict)
    mapping: ColumnMapping = field(default_factory=ColumnMapping)
    max_cluster_share: float | None = None
    memory_limit: int | None = None
    tmp_dir: str | None = None
    source_name: str | None = None


def load_config(
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    mapping: str | os.PathLike[str] | Mapping[str, Any] | ColumnMapping | None = None,
    **overrides: Any,
) -> Settings:
    """Reads and checks a config (a path, a dict, or nothing) and a mapping; ``overrides`` (keys of the config) win over the file.

    >>> load_config(mapping={"columns": {"Nachname": "family_name"}}).mapping.columns
    {'Nachname': 'family_name'}
    """
    if isinstance(config, Mapping) and isinstance(config.get("mapping"), Mapping):
        config = {**config, "mapping": _as_mapping(config["mapping"])}
    typed = CONFIG.check(_tree(config, "config"))
    given = CONFIG.check(from_object({name: _typed(value) for name, value in overrides.items() if value is not None}))
    typed.update(given)
    columns = typed.pop("mapping", {})
    if mapping is not None:
        said = load_mapping(mapping)
        columns = {**columns, **said.read, "columns": {**columns.get("columns", {}), **said.columns}}
    resolve = {name: typed.pop(name) for name in list(typed) if name in RESOLVE_KEYS}
    match, review = resolve.get("match_threshold", 0.9), resolve.get("review_threshold")
    if review is not None and review > match:
        raise ConfigError(f"review_threshold is {review:g}, and must be at most match_threshold ({match:g})")
    return Settings(resolve=resolve, mapping=_column_mapping(columns), **typed)


def load_mapping(mapping: str | os.PathLike[str] | Mapping[str, Any] | ColumnMapping) -> ColumnMapping:
    """Reads and checks a mapping: a path, a dict with ``columns`` and how to read the files, or just column to role."""
    if isinstance(mapping, ColumnMapping):
        return mapping
    if isinstance(mapping, Mapping):
        mapping = _as_mapping(mapping)
    return _column_mapping(MAPPING.check(_tree(mapping, "mapping")))


def _as_mapping(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """From Python a mapping may be just column to role."""
    return {"columns": given} if given and not set(given) & set(MAPPING.keys) else given


def _column_mapping(checked: dict[str, Any]) -> ColumnMapping:
    read = {name: value for name, value in checked.items() if name != "columns"}
    return ColumnMapping(columns=checked.get("columns", {}), read=read)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the config, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "crm-engine config",
        "description": "Settings of `crm-engine dedupe --config`",
        **CONFIG.schema(),
    }


def reference() -> str:
    """The keys of the config as Markdown; ``docs/config.md`` holds this text."""
    lines = ["| key | kind | default | meaning |", "|---|---|---|---|"]

    def add(prefix: str, section: Section) -> None:
        for name, key in section.keys.items():
            default = f"`{_yaml_scalar(key.default)}`" if key.default is not None else ""
            lines.append(
                f"| `{prefix}{name}` | {key.kind.told() if len(key.kind.told()) < 120 else 'names to roles'} | {default} | {key.meaning} |"
            )
            if isinstance(key.kind, Section):
                add(f"{prefix}{name}.", key.kind)

    add("", CONFIG)
    return "\n".join(lines) + "\n"


def _yaml_scalar(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _typed(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _tree(source: str | os.PathLike[str] | Mapping[str, Any] | None, what: str) -> Node:
    if source is None:
        return from_object({})
    if isinstance(source, Mapping):
        return from_object(dict(source))
    path = Path(source)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such {what} file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder, not a {what} file") from None
    return parse_yaml(data, str(path))
