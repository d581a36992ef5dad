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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any

import yaml

from crm_engine import _core
from crm_engine.errors import ConfigError, RuleError

_RULE_SETS = Path(__file__).parent / "rule_sets"
_MAX_TEXT = 32 << 20
_MAX_DEPTH = 60
_MAX_ALIASES = 1_000
_MAX_NODES = 5_000_000
#: Above this the C parser reads the YAML: faster, and positions inside folded texts are then approximate.
_C_PARSER_FROM = 300_000
_EPOCH = datetime.date(1970, 1, 1)
_TREE_KEYS = ("all", "any", "none", "field", "left", "op", "value", "segment", "sql")


# --- rules in Python ----------------------------------------------------------------------------------------------------------


class Rule:
    """A condition or value built in Python; ``&``, ``|`` and ``~`` combine conditions.

    >>> import crm_engine as crm
    >>> rule = (crm.field("city") == "Riga") & ~crm.field("email").is_null()
    >>> print(rule)
    city = 'Riga' and not email is null
    """

    __hash__ = None  # type: ignore[assignment]  # == builds a rule, so a rule cannot be a key

    def __init__(self, tree: Any) -> None:
        self._tree = tree

    def to_tree(self) -> Any:
        """The rule as a tree of plain dicts and lists, ready for JSON."""
        return self._tree

    def to_sql(self) -> str:
        """The rule as SQL."""
        return to_sql(self._tree)

    def __str__(self) -> str:
        return self.to_sql()

    def __repr__(self) -> str:
        return f"<Rule {self.to_sql()}>"

    def __bool__(self) -> bool:
        raise TypeError("a rule has no truth of its own; combine rules with &, | and ~ instead of and, or and not")

    def _test(self, op: str, value: Any) -> Rule:
        return Rule({"left": self._tree, "op": op, "value": _value(value)})

    def _call(self, name: str, *args: Any, **more: Any) -> Rule:
        return Rule({"call": name, "args": [self._tree, *map(_value, args)], **more})

    def __eq__(self, other: object) -> Rule:  # type: ignore[override]
        return self.is_null() if other is None else self._test("=", other)

    def __ne__(self, other: object) -> Rule:  # type: ignore[override]
        return ~self.is_null() if other is None else self._test("<>", other)

    def __lt__(self, other: Any) -> Rule:
        return self._test("<", other)

    def __le__(self, other: Any) -> Rule:
        return self._test("<=", other)

    def __gt__(self, other: Any) -> Rule:
        return self._test(">", other)

    def __ge__(self, other: Any) -> Rule:
        return self._test(">=", other)

    def __and__(self, other: Rule) -> Rule:
        return Rule({"all": [self._tree, _value(other)]})

    def __or__(self, other: Rule) -> Rule:
        return Rule({"any": [self._tree, _value(other)]})

    def __invert__(self) -> Rule:
        return Rule({"none": [self._tree]})

    def __add__(self, other: Any) -> Rule:
        return Rule({"call": "+", "args": [self._tree, _value(other)]})

    def __sub__(self, other: Any) -> Rule:
        return Rule({"call": "-", "args": [self._tree, _value(other)]})

    def __rsub__(self, other: Any) -> Rule:
        return Rule({"call": "-", "args": [_value(other), self._tree]})

    def __mul__(self, other: Any) -> Rule:
        return Rule({"call": "*", "args": [self._tree, _value(other)]})

    def __truediv__(self, other: Any) -> Rule:
        return Rule({"call": "/", "args": [self._tree, _value(other)]})

    def is_in(self, values: Iterable[Any]) -> Rule:
        """The value is one of these."""
        return Rule({"left": self._tree, "op": "in", "value": [_value(value) for value in values]})

    def between(self, low: Any, high: Any) -> Rule:
        """The value lies between these, both included."""
        return Rule({"left": self._tree, "op": "between", "value": [_value(low), _value(high)]})

    def is_null(self) -> Rule:
        """There is no value."""
        return Rule({"left": self._tree, "op": "is_null"})

    def like(self, pattern: str, *, ignore_case: bool = False) -> Rule:
        """The text fits a pattern with ``%`` and ``_``."""
        return self._test("ilike" if ignore_case else "like", pattern)

    def contains(self, value: Any) -> Rule:
        """The text contains this text, or the list this item."""
        return self._test("contains", value)

    def starts_with(self, text: str) -> Rule:
        """The text starts so."""
        return self._test("starts_with", text)

    def ends_with(self, text: str) -> Rule:
        """The text ends so."""
        return self._test("ends_with", text)

    def matches(self, pattern: str) -> Rule:
        """A regular expression matches somewhere in the text."""
        return self._test("regexp_like", pattern)

    def lower(self) -> Rule:
        """The text in lower case."""
        return self._call("lower")

    def fold(self) -> Rule:
        """The text without accents, in lower case."""
        return self._call("fold")

    def aggregate(self, name: str, *, where: Rule | None = None, distinct: bool = False) -> Rule:
        """An aggregate over a related table: ``crm.field("orders.amount").aggregate("sum", where=...)``."""
        more: dict[str, Any] = {"distinct": distinct}
        if where is not None:
            more["filter"] = _value(where)
        return self._call(name, **more)

    def sum(self, where: Rule | None = None) -> Rule:
        """The sum over a related table."""
        return self.aggregate("sum", where=where)

    def count(self, where: Rule | None = None, *, distinct: bool = False) -> Rule:
        """How many rows or values a related table has."""
        return self.aggregate("count", where=where, distinct=distinct)

    def last(self, where: Rule | None = None) -> Rule:
        """The value of the latest row of a related table."""
        return self.aggregate("last", where=where)


def field(name: str) -> Rule:
    """A column, a feature (``"spent_total"``), a related table (``"orders"``) or its column (``"orders.amount"``), to build rules with.

    >>> import crm_engine as crm
    >>> str(crm.field("orders.amount").sum() > 1000)
    'sum(orders.amount) > 1000'
    """
    return Rule({"field": name})


def segment_rule(name: str) -> Rule:
    """Membership in another segment, to build rules with."""
    return Rule({"segment": name})


def to_sql(rule: Any) -> str:
    """A rule in any of its forms (SQL, tree, :func:`field`) as SQL in its normal form."""
    if isinstance(rule, Rule):
        rule = rule.to_tree()
    if isinstance(rule, str):
        return _core.rule_to_sql(rule, False)
    return _core.rule_to_sql(json.dumps(_plain(rule), ensure_ascii=False), True)


def _value(value: Any) -> Any:
    if isinstance(value, Rule):
        return value.to_tree()
    if isinstance(value, datetime.datetime):
        return {"timestamp": value.replace(tzinfo=None).isoformat(sep=" ")}
    if isinstance(value, datetime.date):
        return {"date": value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {"interval": f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a rule cannot hold a {type(value).__name__}")


def _plain(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {str(key): _plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_plain(value) for value in tree]
    return _value(tree)


# --- rules files --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Text:
    """A scalar of a rules file with the place of its text: line, column, and column of further lines."""

    value: Any
    text: str
    at: tuple[int, int, int]


@dataclass(frozen=True)
class _Map:
    items: dict[str, Any]
    keys: dict[str, tuple[int, int, int]]
    at: tuple[int, int, int]


@dataclass(frozen=True)
class _List:
    items: list[Any]
    at: tuple[int, int, int]


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

    def to_sql(self) -> dict[str, str]:
        """Every segment's rule as SQL."""
        return {segment["name"]: to_sql(segment["rule"]) for segment in self.segments}


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
        return _read_file(_parse_yaml(_file_text(rules)))
    if isinstance(rules, str):
        if "\n" not in rules and (os.path.exists(rules) or rules.endswith((".yaml", ".yml", ".json"))):
            return _read_file(_parse_yaml(_file_text(rules)))
        return _read_file(_parse_yaml(rules))
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


def _wrong(message: str, at: tuple[int, int, int], nearest: str | None = None) -> RuleError:
    hint = f"; did you mean '{nearest}'?" if nearest else ""
    return RuleError(f"line {at[0]}, column {at[1]}: {message}{hint}", line=at[0], column=at[1], nearest=nearest)


def _parse_yaml(text: str) -> Any:
    """YAML as a tree with places. Only plain data: no tags, few aliases, bounded depth and size."""
    if len(text) > _MAX_TEXT:
        raise RuleError(f"the rules have more than {_MAX_TEXT >> 20} MiB", line=1, column=1)
    big = len(text) > _C_PARSER_FROM and hasattr(yaml, "CSafeLoader")
    lines = [] if big else text.splitlines()
    anchors: dict[str, tuple[Any, int]] = {}
    open_nodes: list[tuple[Any, list[Any], str | None]] = []
    root: Any = None
    aliases = nodes = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader if big else yaml.SafeLoader):
            at = _place(event.start_mark)
            finished: Any = None
            size = 1
            if getattr(event, "tag", None) not in (None, "!"):
                raise _wrong("tags are not used in rules", at)
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                if len(open_nodes) >= _MAX_DEPTH:
                    raise _wrong(f"the rules are nested more than {_MAX_DEPTH} levels deep", at)
                open_nodes.append((event, [], event.anchor))
                nodes += 1
                continue
            if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                start, children, anchor = open_nodes.pop()
                at = _place(start.start_mark)
                size = 1 + sum(child[1] for child in children)
                items = [child[0] for child in children]
                finished = _mapping(items, at) if isinstance(start, yaml.MappingStartEvent) else _List(items, at)
            elif isinstance(event, yaml.ScalarEvent):
                anchor = event.anchor
                finished = _scalar(event, lines)
            elif isinstance(event, yaml.AliasEvent):
                aliases += 1
                if event.anchor not in anchors:
                    raise _wrong(f"there is no anchor '{event.anchor}' before here", at)
                (finished, size), anchor = anchors[event.anchor], None
                if aliases > _MAX_ALIASES:
                    raise _wrong(f"the rules use more than {_MAX_ALIASES} aliases", at)
            else:
                continue
            nodes += size if isinstance(event, yaml.AliasEvent) else 1
            if nodes > _MAX_NODES:
                raise _wrong(f"the rules have more than {_MAX_NODES} values", at)
            if anchor:
                anchors[anchor] = (finished, size)
            if open_nodes:
                open_nodes[-1][1].append((finished, size))
            elif root is None:
                root = finished
            else:
                raise _wrong("a rules file is one YAML document", at)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = (mark.line + 1, mark.column + 1, 1) if mark is not None else (1, 1, 1)
        raise _wrong(f"this is not YAML: {error.problem or error.context}", at) from None
    except yaml.YAMLError as error:
        raise _wrong(f"this is not YAML: {error}", (1, 1, 1)) from None
    return root if root is not None else _Map({}, {}, (1, 1, 1))


def _place(mark: Any) -> tuple[int, int, int]:
    return (mark.line + 1, mark.column + 1, 1)


def _mapping(items: list[Any], at: tuple[int, int, int]) -> _Map:
    values: dict[str, Any] = {}
    keys: dict[str, tuple[int, int, int]] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, _Text):
            raise _wrong("a key is a word", key.at)
        if key.text in values:
            raise _wrong(f"'{key.text}' stands here twice", key.at)
        values[key.text] = value
        keys[key.text] = key.at
    return _Map(values, keys, at)


_NUMBER = re.compile(r"[-+]?(\d+|\d+\.\d*([eE][-+]?\d+)?|\.\d+|\d+[eE][-+]?\d+)")


def _scalar(event: Any, lines: list[str]) -> _Text:
    text: str = event.value
    line, column = event.start_mark.line + 1, event.start_mark.column + 1
    if event.style in ("|", ">"):
        # The text begins on the next line; raw lines keep the file's line breaks, so that places are exact.
        if lines:
            raw = lines[line : event.end_mark.line if event.end_mark.column == 0 else event.end_mark.line + 1]
            return _Text(text, "\n".join(raw).rstrip(), (line + 1, 1, 1))
        return _Text(text, text, (line + 1, 1, 1))
    if event.style in ("'", '"'):
        return _Text(text, text, (line, column + 1, 1))
    if lines and event.end_mark.line > event.start_mark.line:
        raw = lines[line - 1 : event.end_mark.line + 1]
        raw[0] = raw[0][column - 1 :]
        if event.end_mark.line + 1 - line == len(raw) - 1:
            raw[-1] = raw[-1][: event.end_mark.column]
        return _Text(text, "\n".join(raw), (line, column, 1))
    value: Any = text
    if text in ("", "~", "null", "Null", "NULL"):
        value = None
    elif text in ("true", "True", "TRUE"):
        value = True
    elif text in ("false", "False", "FALSE"):
        value = False
    elif _NUMBER.fullmatch(text) and len(text) < 40:
        value = float(text) if any(c in text for c in ".eE") else int(text)
    return _Text(value, text, (line, column, 1))


def _from_python(value: Any, depth: int) -> Any:
    at = (1, 1, 1)
    if depth > _MAX_DEPTH:
        raise _wrong(f"the rules are nested more than {_MAX_DEPTH} levels deep", at)
    if isinstance(value, Rule):
        return _from_python(value.to_tree(), depth)
    if isinstance(value, Mapping):
        items = {str(key): _from_python(one, depth + 1) for key, one in value.items()}
        return _Map(items, dict.fromkeys(items, at), at)
    if isinstance(value, list | tuple):
        return _List([_from_python(one, depth + 1) for one in value], at)
    if isinstance(value, datetime.date):
        return _Text(value, value.isoformat(), at)
    return _Text(value, "" if value is None else str(value), at)


def _to_json(node: Any) -> Any:
    """A rule tree without its places."""
    if isinstance(node, _Map):
        return {key: _to_json(value) for key, value in node.items.items()}
    if isinstance(node, _List):
        return [_to_json(value) for value in node.items]
    return _value(node.value)


def _nearest(name: str, known: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), 1)
    return found[0] if found else None


def _only(node: _Map, known: tuple[str, ...], what: str) -> None:
    for key in node.items:
        if key not in known:
            raise _wrong(f"{what} has no '{key}'", node.keys[key], _nearest(key, known))


def _need(node: Any, kind: type, message: str) -> Any:
    if not isinstance(node, kind):
        raise _wrong(message, getattr(node, "at", (1, 1, 1)))
    return node


def _definition(name: str, node: Any, at: tuple[int, int, int]) -> dict[str, Any]:
    if isinstance(node, _Text):
        if node.value is None:
            raise _wrong(f"'{name}' has no rule", node.at)
        return {"name": name, "rule": node.text, "at": node.at}
    return {"name": name, "rule": _to_json(node), "at": getattr(node, "at", at)}


def _read_file(root: Any) -> RuleFile:
    root = _need(root, _Map, "a rules file is a mapping with 'segments'")
    _only(root, ("today", "tables", "features", "segments", "assign", "title", "description"), "a rules file")
    file = RuleFile()
    if "today" in root.items:
        file.today = _date(root.items["today"])
    if "tables" in root.items:
        for name, node in _need(root.items["tables"], _Map, "'tables' is a mapping of names").items.items():
            table = _need(node, _Map, f"the table '{name}' is a mapping with 'contact' and 'time'")
            _only(table, ("contact", "time"), "a table")
            file.tables[name] = {key: _need(value, _Text, f"'{key}' is a column").text for key, value in table.items.items()}
    if "features" in root.items:
        features = _need(root.items["features"], _Map, "'features' is a mapping of names to expressions")
        for name, node in features.items.items():
            file.features.append(_definition(name, node, features.keys[name]))
    if "segments" in root.items:
        segments = _need(root.items["segments"], _Map, "'segments' is a mapping of names to rules")
        for name, node in segments.items.items():
            rule = node
            if isinstance(node, _Map) and not any(key in node.items for key in _TREE_KEYS):
                _only(node, ("title", "description", "where"), "a segment")
                if "where" not in node.items:
                    raise _wrong(f"the segment '{name}' has no 'where'", segments.keys[name])
                rule = node.items["where"]
                title = node.items.get("title")
                if isinstance(title, _Text):
                    file.titles[name] = title.text
            file.segments.append(_definition(name, rule, segments.keys[name]))
    if "assign" in root.items:
        for name, node in _need(root.items["assign"], _Map, "'assign' is a mapping of names to lists of choices").items.items():
            choices = []
            for choice in _need(node, _List, f"'{name}' is a list of choices").items:
                choice = _need(choice, _Map, "a choice is a mapping with 'name' and 'where'")
                _only(choice, ("name", "where", "title"), "a choice")
                if "name" not in choice.items:
                    raise _wrong("a choice needs a name", choice.at)
                label = _need(choice.items["name"], _Text, "a choice's name is a text").text
                where = choice.items.get("where")
                choices.append(
                    _definition(label, where, choice.at) if where is not None else {"name": label, "rule": None, "at": choice.at}
                )
            file.assign.append({"name": name, "choices": choices})
    return file


def _date(node: Any) -> datetime.date:
    text = _need(node, _Text, "'today' is a date such as 2026-11-01").text
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise _wrong(f"'{text}' is not a date such as 2026-11-01", node.at) from None
