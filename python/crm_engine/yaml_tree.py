"""YAML as a tree that knows its lines, read without running anything and within limits.

A scalar stays the text that was written until whoever asks says what it should be: ``phone_region: NO`` is Norway, not false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from crm_engine.errors import ConfigError

#: A config of more than this is none.
MAX_BYTES = 4 << 20
MAX_DEPTH = 40
MAX_NODES = 200_000
MAX_ALIASES = 100

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "on", "On"})
_FALSE = frozenset({"false", "False", "FALSE", "no", "No", "off", "Off"})


@dataclass(frozen=True)
class Node:
    """One value: a mapping (``entries``: key, line, value), a list (``items``) or a scalar (``text``)."""

    where: str
    file: str | None
    line: int | None
    entries: list[tuple[str, int | None, Node]] | None = None
    items: list[Node] | None = None
    text: str = ""
    value: Any = None
    #: Written in quotes: a text, whatever it looks like.
    quoted: bool = False

    def is_null(self) -> bool:
        """Whether nothing was written."""
        return self.entries is None and self.items is None and not self.quoted and self.value is None and self.text in _NULLS

    def scalar_text(self) -> str | None:
        """The text of a scalar, ``None`` for anything else."""
        if self.entries is not None or self.items is not None or self.is_null():
            return None
        return self.text

    def number(self) -> float | None:
        """The number, ``None`` if it is none."""
        if self.entries is not None or self.items is not None or self.quoted or isinstance(self.value, bool):
            return None
        try:
            number = float(self.text.replace("_", ""))
        except ValueError:
            return None
        return number if number == number and abs(number) != float("inf") else None

    def boolean(self) -> bool | None:
        """True or false, ``None`` if it is neither."""
        if self.quoted or self.entries is not None or self.items is not None:
            return None
        return True if self.text in _TRUE else False if self.text in _FALSE else None

    def told(self) -> str:
        """What stands there, for a message."""
        if self.entries is not None:
            return "a mapping"
        if self.items is not None:
            return "a list"
        if self.is_null():
            return "empty"
        return f"'{self.text[:60]}'"

    def error(self, what: str) -> ConfigError:
        """An error about this value."""
        return self.error_at(self.line, f"{self.where or 'the document'} {what}")

    def error_at(self, line: int | None, what: str) -> ConfigError:
        """An error at a line of the same file."""
        place = ", ".join(part for part in (self.file, f"line {line}" if line is not None else None) if part)
        return ConfigError(f"{place}: {what}" if place else what)


def from_object(value: Any, where: str = "") -> Node:
    """The tree of plain Python objects."""
    if isinstance(value, Mapping):
        entries: list[tuple[str, int | None, Node]] = [
            (str(key), None, from_object(item, f"{where}.{key}" if where else str(key))) for key, item in value.items()
        ]
        return Node(where, None, None, entries=entries)
    if isinstance(value, list | tuple | set | frozenset):
        return Node(where, None, None, items=[from_object(item, where) for item in value])
    if value is None:
        return Node(where, None, None)
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return Node(where, None, None, text=text, value=value, quoted=isinstance(value, str))


def parse_yaml(data: bytes, file: str) -> Node:
    """The tree of a YAML document; what is no YAML, or asks for too much, is a ``ConfigError`` with its line."""
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{file}: has {len(data):,} bytes, and at most {MAX_BYTES:,} are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file}, line {line}: is no UTF-8; save the file as UTF-8") from None
    try:
        _check_limits(text, file)
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}, line {mark.line + 1}" if mark else file
        raise ConfigError(f"{place}: is no valid YAML: {error.problem or error.context or 'cannot be read'}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: is no valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ConfigError(f"{file}: is nested too deeply") from None
    if document is None:
        return Node("", file, 1)
    return _Builder(file).build(document, "", 0)


def plain_yaml(data: bytes, file: str) -> dict[str, Any]:
    """A YAML document of options as plain Python objects, within the limits of :func:`parse_yaml`, for what checks its options itself."""
    tree = parse_yaml(data, file)
    if tree.is_null():
        return {}
    if tree.entries is None:
        raise ConfigError(f"{file}: the config must be a mapping of options, and it is {tree.told()}")
    try:
        found: dict[str, Any] = yaml.safe_load(data.decode("utf-8-sig"))
    except (ValueError, yaml.YAMLError) as error:
        # A day that no calendar has, say: written well, and no value.
        raise ConfigError(f"{file}: a value cannot be read: {error}") from None
    return found


def _check_limits(text: str, file: str) -> None:
    depth = n_aliases = 0
    for n_events, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader), 1):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if isinstance(event, yaml.AliasEvent):
            n_aliases += 1
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
        for count, most, what in ((depth, MAX_DEPTH, "levels"), (n_aliases, MAX_ALIASES, "aliases"), (n_events, MAX_NODES, "values")):
            if count > most:
                raise ConfigError(f"{file}, line {line}: has more than {most:,} {what}")


class _Builder:
    def __init__(self, file: str) -> None:
        self._file = file
        self._n_nodes = 0

    def build(self, node: yaml.Node, where: str, depth: int) -> Node:
        line = node.start_mark.line + 1
        self._n_nodes += 1
        # Aliases may repeat what holds aliases: the tree is counted as it unfolds.
        if self._n_nodes > MAX_NODES or depth > MAX_DEPTH:
            raise ConfigError(f"{self._file}, line {line}: unfolds to more than {MAX_NODES:,} values or {MAX_DEPTH} levels")
        if isinstance(node, yaml.MappingNode):
            entries: list[tuple[str, int | None, Node]] = []
            seen: dict[str, int] = {}
            for key_node, value_node in node.value:
                key_line = key_node.start_mark.line + 1
                if not isinstance(key_node, yaml.ScalarNode):
                    raise ConfigError(f"{self._file}, line {key_line}: a key must be a word")
                key = str(key_node.value)
                if key in seen:
                    raise ConfigError(f"{self._file}, line {key_line}: the key '{key}' is there already, in line {seen[key]}")
                seen[key] = key_line
                entries.append((key, key_line, self.build(value_node, f"{where}.{key}" if where else key, depth + 1)))
            return Node(where, self._file, line, entries=entries)
        if isinstance(node, yaml.SequenceNode):
            return Node(where, self._file, line, items=[self.build(item, where, depth + 1) for item in node.value])
        tag = str(node.tag)
        if not tag.startswith("tag:yaml.org,2002:"):
            raise ConfigError(f"{self._file}, line {line}: the tag {tag} is not allowed")
        quoted = getattr(node, "style", None) in ("'", '"', "|", ">")
        return Node(where, self._file, line, text=str(node.value), quoted=quoted)
