"""Rules: reading rules files, building rules in Python, printing them as SQL.

A rules file is YAML::

    segments:
      vip:
        where: sum(orders.amount) > 10000

The same may be given as a ``dict``, and every condition may be SQL text, a tree (``all``, ``any``, ``none``, ``field``/``op``/``value``)
or an expression built with :func:`field`.
"""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property
from pathlib import Path
from typing import Any

from crm_engine.errors import ConfigError
from crm_engine.rule_building import Rule, to_sql, tree_value
from crm_engine.rule_yaml import MAX_DEPTH, List, Map, Text, parse_yaml, wrong

_RULE_SETS = Path(__file__).parent / "rule_sets"
_EPOCH = datetime.date(1970, 1, 1)
#: A name in SQL, plain or in quotes; texts in single quotes are passed over.
_NAME = re.compile(r"""'(?:[^']|'')*'|([^\W\d]\w*)|"((?:[^"]|"")+)\"""")
_TREE_KEYS = ("all", "any", "none", "field", "left", "op", "value", "segment", "sql")


@dataclass
class RuleFile:
    """What a rules file says, before it meets any data."""

    today: datetime.date | None = None
    features: list[dict[str, Any]] = dataclass_field(default_factory=list)
    segments: list[dict[str, Any]] = dataclass_field(default_factory=list)
    assign: list[dict[str, Any]] = dataclass_field(default_factory=list)
    tables: dict[str, dict[str, str]] = dataclass_field(default_factory=dict)
    titles: dict[str, str] = dataclass_field(default_factory=dict)

    def spec(self, today: datetime.date) -> str:
        """What the native half takes."""
        return json.dumps(
            {"today": (today - _EPOCH).days, "features": self.features, "segments": self.segments, "assign": self.assign},
            ensure_ascii=False,
        )

    def speaks_of(self, table: str) -> bool:
        """Whether the rules name a table of this name, in any case of letters; a part of a longer name is none."""
        return table.casefold() in self._names

    @cached_property
    def _names(self) -> set[str]:
        """All names in the rules, of tables and of all else, case folded."""
        found = {name.casefold() for name in self.tables}
        for text in _texts_of([self.features, self.segments, self.assign]):
            # In a tree a name stands by itself, whatever it is made of; in SQL it is a word, or in quotes.
            found |= {text.casefold(), text.partition(".")[0].casefold()}
            found |= {(one[1] or one[0]).replace('""', '"').casefold() for one in _NAME.findall(text)}
        return found

    def to_sql(self) -> dict[str, str]:
        """Every segment's rule as SQL."""
        return {segment["name"]: to_sql(segment["rule"]) for segment in self.segments}


def _texts_of(node: Any) -> Iterator[str]:
    """All texts in lists and the values of mappings."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _texts_of(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _texts_of(value)


def builtin_rules() -> dict[str, Path]:
    """The rule sets that come with the package, by name: files to use, or to copy and change."""
    return {path.stem: path for path in sorted(_RULE_SETS.glob("*.yaml"))}


def rules_schema() -> dict[str, Any]:
    """The JSON Schema of rules files."""
    schema: dict[str, Any] = json.loads((_RULE_SETS / "rules.schema.json").read_text("utf-8"))
    return schema


def load_rules(rules: Any) -> RuleFile:
    """Reads rules: a path, YAML text, a dict, the name of a built-in set (``"builtin:rfm"``), or several of these in a list."""
    if isinstance(rules, RuleFile):
        return rules
    if isinstance(rules, list | tuple):
        return _joined([load_rules(one) for one in rules])
    if isinstance(rules, Mapping):
        return _read_file(_from_python(rules, 0))
    if isinstance(rules, str) and rules.startswith("builtin:"):
        name = rules.removeprefix("builtin:")
        sets = builtin_rules()
        if name not in sets:
            raise ConfigError(f"there is no built-in rule set '{name}'; the sets are {', '.join(sets)}")
        rules = sets[name]
    if isinstance(rules, os.PathLike):
        return _read_file(parse_yaml(_file_text(rules)))
    if isinstance(rules, str):
        if "\n" not in rules and (os.path.exists(rules) or rules.endswith((".yaml", ".yml", ".json"))):
            return _read_file(parse_yaml(_file_text(rules)))
        return _read_file(parse_yaml(rules))
    raise ConfigError(f"rules are a path, YAML text or a dict, not a {type(rules).__name__}")


def _file_text(path: str | os.PathLike[str]) -> str:
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{os.fspath(path)}, line {line}: is no UTF-8; save the file as UTF-8") from None


def _joined(files: list[RuleFile]) -> RuleFile:
    whole = RuleFile()
    for file in files:
        whole.today = whole.today or file.today
        whole.features += file.features
        whole.segments += file.segments
        whole.assign += file.assign
        # A later file may say more of a table: which of its columns refers to contacts, say.
        for name, columns in file.tables.items():
            whole.tables[name] = whole.tables.get(name, {}) | columns
        whole.titles |= file.titles
    return whole


def _from_python(value: Any, depth: int) -> Any:
    at = (1, 1, 1)
    if depth > MAX_DEPTH:
        raise wrong(f"the rules are nested more than {MAX_DEPTH} levels deep", at)
    if isinstance(value, Rule):
        return _from_python(value.to_tree(), depth)
    if isinstance(value, Mapping):
        items = {str(key): _from_python(one, depth + 1) for key, one in value.items()}
        return Map(items, dict.fromkeys(items, at), at)
    if isinstance(value, list | tuple):
        return List([_from_python(one, depth + 1) for one in value], at)
    if isinstance(value, datetime.date):
        return Text(value, value.isoformat(), at)
    return Text(value, "" if value is None else str(value), at)


def _to_json(node: Any) -> Any:
    """A rule tree without its places."""
    if isinstance(node, Map):
        return {key: _to_json(value) for key, value in node.items.items()}
    if isinstance(node, List):
        return [_to_json(value) for value in node.items]
    return tree_value(node.value)


def _nearest(name: str, known: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), 1)
    return found[0] if found else None


def _only(node: Map, known: tuple[str, ...], what: str) -> None:
    for key in node.items:
        if key not in known:
            raise wrong(f"{what} has no '{key}'", node.keys[key], _nearest(key, known))


def _need(node: Any, kind: type, message: str) -> Any:
    if not isinstance(node, kind):
        raise wrong(message, getattr(node, "at", (1, 1, 1)))
    return node


def _definition(name: str, node: Any, at: tuple[int, int, int]) -> dict[str, Any]:
    if isinstance(node, Text):
        if node.value is None:
            raise wrong(f"'{name}' has no rule", node.at)
        return {"name": name, "rule": node.text, "at": node.at}
    return {"name": name, "rule": _to_json(node), "at": getattr(node, "at", at)}


def _read_file(root: Any) -> RuleFile:
    root = _need(root, Map, "a rules file is a mapping with 'segments'")
    _only(root, ("today", "tables", "features", "segments", "assign", "title", "description"), "a rules file")
    file = RuleFile()
    if "today" in root.items:
        file.today = _date(root.items["today"])
    if "tables" in root.items:
        for name, node in _need(root.items["tables"], Map, "'tables' is a mapping of names").items.items():
            table = _need(node, Map, f"the table '{name}' is a mapping with 'contact' and 'time'")
            _only(table, ("contact", "time"), "a table")
            file.tables[name] = {key: _need(value, Text, f"'{key}' is a column").text for key, value in table.items.items()}
    if "features" in root.items:
        features = _need(root.items["features"], Map, "'features' is a mapping of names to expressions")
        for name, node in features.items.items():
            file.features.append(_definition(name, node, features.keys[name]))
    if "segments" in root.items:
        segments = _need(root.items["segments"], Map, "'segments' is a mapping of names to rules")
        for name, node in segments.items.items():
            rule = node
            if isinstance(node, Map) and not any(key in node.items for key in _TREE_KEYS):
                _only(node, ("title", "description", "where"), "a segment")
                if "where" not in node.items:
                    raise wrong(f"the segment '{name}' has no 'where'", segments.keys[name])
                rule = node.items["where"]
                title = node.items.get("title")
                if isinstance(title, Text):
                    file.titles[name] = title.text
            file.segments.append(_definition(name, rule, segments.keys[name]))
    if "assign" in root.items:
        for name, node in _need(root.items["assign"], Map, "'assign' is a mapping of names to lists of choices").items.items():
            choices = []
            for choice in _need(node, List, f"'{name}' is a list of choices").items:
                choice = _need(choice, Map, "a choice is a mapping with 'name' and 'where'")
                _only(choice, ("name", "where", "title"), "a choice")
                if "name" not in choice.items:
                    raise wrong("a choice needs a name", choice.at)
                label = _need(choice.items["name"], Text, "a choice's name is a text").text
                where = choice.items.get("where")
                choices.append(
                    _definition(label, where, choice.at) if where is not None else {"name": label, "rule": None, "at": choice.at}
                )
            file.assign.append({"name": name, "choices": choices})
    return file


def _date(node: Any) -> datetime.date:
    text = _need(node, Text, "'today' is a date such as 2026-11-01").text
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise wrong(f"'{text}' is not a date such as 2026-11-01", node.at) from None
