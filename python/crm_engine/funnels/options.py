"""The options of both funnels that may be written in several ways, checked before anything rests on them."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Any

from crm_engine.errors import ConfigError
from crm_engine.rule_building import Rule, to_sql


def names(value: Any, option: str, default: Sequence[str] = ()) -> list[str]:
    """A name, or a list of names; nothing is the default.

    >>> names("owner", "by"), names(["owner", "month"], "by"), names(None, "by")
    (['owner'], ['owner', 'month'], [])
    """
    if value is None:
        return list(default)
    return [value] if isinstance(value, str) and value else list_of_names(value, option)


def list_of_names(value: Any, option: str) -> list[str]:
    """A list of names, each a text that is not empty."""
    if not _is_list(value) or not all(isinstance(name, str) and name for name in value):
        raise ConfigError(f"{option} is {value!r}, and must be a list of names, such as [first, second]")
    return [str(name) for name in value]


def check_breakdown_names(value: Any, tables: Sequence[str]) -> None:
    """Raises for a breakdown that has the name of one of the funnel's ``tables``, which nobody could tell from it."""
    for name, item in breakdowns(value):
        # A breakdown by one column alone is called by that.
        item = item[0] if name is None and isinstance(item, list) and len(item) == 1 else item
        called = name or (item.get("name") or item.get("column") if isinstance(item, Mapping) else item)
        if called in tables:
            raise ConfigError(
                f"breakdowns: {called!r} is the name of a table that this funnel has anyway; "
                f"give the breakdown another name, such as breakdowns: {{by_{called}: ...}}"
            )


def breakdowns(value: Any) -> list[tuple[str | None, Any]]:
    """Further breakdowns as (name, columns): a list of them, or a mapping of names to them."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [(str(name), item) for name, item in value.items()]
    if not _is_list(value):
        raise ConfigError(f"breakdowns is {value!r}, and must be a list of columns or of lists of them, or a mapping of names to these")
    return [(None, item) for item in value]


def list_of(value: Any, option: str, what: str) -> list[Any]:
    """A list of anything; nothing is none."""
    if value is None:
        return []
    if not _is_list(value):
        raise ConfigError(f"{option} is {value!r}, and must be a list of {what}")
    return list(value)


def text(value: Any, option: str, default: str = "") -> str:
    """A text; nothing is the default."""
    if value is None:
        return default
    if not isinstance(value, str):
        raise ConfigError(f"{option} is {value!r}, and must be a text")
    return value


def whole_number(value: Any, option: str, least: int, most: int) -> int:
    """A whole number between two bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{option} is {value!r}, and must be a whole number from {least} to {most}")
    return value


def rule_text(rule: Any, option: str) -> str:
    """A rule in any of its forms (SQL, a tree, ``crm.field(...)``) as SQL; text stays as it is written, so that errors point into it.

    >>> from crm_engine import field
    >>> rule_text("kind  =  'a'", "where"), rule_text(field("kind") == "a", "where"), rule_text({"field": "kind", "op": "=", "value": "a"}, "where")
    ("kind  =  'a'", "kind = 'a'", "kind = 'a'")
    """
    if isinstance(rule, str):
        return rule
    if isinstance(rule, bool):
        return str(rule).lower()
    if not isinstance(rule, Rule | Mapping):
        raise ConfigError(f"{option} is {rule!r}, and must be a rule: SQL, a tree, or crm.field(...)")
    return to_sql(rule)


def check_timezone(value: Any) -> None:
    """Raises for a time zone that does not exist, whether or not anything needs it."""
    name = text(value, "timezone")
    if value is None:
        return
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f"timezone {value!r} is unknown; use a name such as Europe/Riga") from error


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
