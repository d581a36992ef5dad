"""YAML as rules files have it: plain data with the place of every value, and bounds on depth, size and aliases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from crm_engine.errors import RuleError

_MAX_TEXT = 32 << 20
MAX_DEPTH = 60
_MAX_ALIASES = 1_000
_MAX_NODES = 5_000_000
#: Above this the C parser reads the YAML: faster, and positions inside folded texts are then approximate.
_C_PARSER_FROM = 300_000


@dataclass(frozen=True)
class Text:
    """A scalar of a rules file with the place of its text: line, column, and column of further lines."""

    value: Any
    text: str
    at: tuple[int, int, int]


@dataclass(frozen=True)
class Map:
    items: dict[str, Any]
    keys: dict[str, tuple[int, int, int]]
    at: tuple[int, int, int]


@dataclass(frozen=True)
class List:
    items: list[Any]
    at: tuple[int, int, int]


def wrong(message: str, at: tuple[int, int, int], nearest: str | None = None) -> RuleError:
    hint = f"; did you mean '{nearest}'?" if nearest else ""
    return RuleError(f"line {at[0]}, column {at[1]}: {message}{hint}", line=at[0], column=at[1], nearest=nearest)


def parse_yaml(text: str) -> Any:
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
                raise wrong("tags are not used in rules", at)
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                if len(open_nodes) >= MAX_DEPTH:
                    raise wrong(f"the rules are nested more than {MAX_DEPTH} levels deep", at)
                open_nodes.append((event, [], event.anchor))
                nodes += 1
                continue
            if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                start, children, anchor = open_nodes.pop()
                at = _place(start.start_mark)
                size = 1 + sum(child[1] for child in children)
                items = [child[0] for child in children]
                finished = _mapping(items, at) if isinstance(start, yaml.MappingStartEvent) else List(items, at)
            elif isinstance(event, yaml.ScalarEvent):
                anchor = event.anchor
                finished = _scalar(event, lines)
            elif isinstance(event, yaml.AliasEvent):
                aliases += 1
                if event.anchor not in anchors:
                    raise wrong(f"there is no anchor '{event.anchor}' before here", at)
                (finished, size), anchor = anchors[event.anchor], None
                if aliases > _MAX_ALIASES:
                    raise wrong(f"the rules use more than {_MAX_ALIASES} aliases", at)
            else:
                continue
            nodes += size if isinstance(event, yaml.AliasEvent) else 1
            if nodes > _MAX_NODES:
                raise wrong(f"the rules have more than {_MAX_NODES} values", at)
            if anchor:
                anchors[anchor] = (finished, size)
            if open_nodes:
                open_nodes[-1][1].append((finished, size))
            elif root is None:
                root = finished
            else:
                raise wrong("a rules file is one YAML document", at)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = (mark.line + 1, mark.column + 1, 1) if mark is not None else (1, 1, 1)
        raise wrong(f"this is not YAML: {error.problem or error.context}", at) from None
    except yaml.YAMLError as error:
        raise wrong(f"this is not YAML: {error}", (1, 1, 1)) from None
    return root if root is not None else Map({}, {}, (1, 1, 1))


def _place(mark: Any) -> tuple[int, int, int]:
    return (mark.line + 1, mark.column + 1, 1)


def _mapping(items: list[Any], at: tuple[int, int, int]) -> Map:
    values: dict[str, Any] = {}
    keys: dict[str, tuple[int, int, int]] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, Text):
            raise wrong("a key is a word", key.at)
        if key.text in values:
            raise wrong(f"'{key.text}' stands here twice", key.at)
        values[key.text] = value
        keys[key.text] = key.at
    return Map(values, keys, at)


_NUMBER = re.compile(r"[-+]?(\d+|\d+\.\d*([eE][-+]?\d+)?|\.\d+|\d+[eE][-+]?\d+)")


def _scalar(event: Any, lines: list[str]) -> Text:
    text: str = event.value
    line, column = event.start_mark.line + 1, event.start_mark.column + 1
    if event.style in ("|", ">"):
        # The text begins on the next line; raw lines keep the file's line breaks, so that places are exact.
        if lines:
            raw = lines[line : event.end_mark.line if event.end_mark.column == 0 else event.end_mark.line + 1]
            return Text(text, "\n".join(raw).rstrip(), (line + 1, 1, 1))
        return Text(text, text, (line + 1, 1, 1))
    if event.style in ("'", '"'):
        return Text(text, text, (line, column + 1, 1))
    if lines and event.end_mark.line > event.start_mark.line:
        raw = lines[line - 1 : event.end_mark.line + 1]
        raw[0] = raw[0][column - 1 :]
        if event.end_mark.line + 1 - line == len(raw) - 1:
            raw[-1] = raw[-1][: event.end_mark.column]
        return Text(text, "\n".join(raw), (line, column, 1))
    value: Any = text
    if text in ("", "~", "null", "Null", "NULL"):
        value = None
    elif text in ("true", "True", "TRUE"):
        value = True
    elif text in ("false", "False", "FALSE"):
        value = False
    elif _NUMBER.fullmatch(text) and len(text) < 40:
        value = float(text) if any(c in text for c in ".eE") else int(text)
    return Text(value, text, (line, column, 1))
