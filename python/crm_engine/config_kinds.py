"""What a key of a settings file may hold: each kind checks a value, tells its JSON Schema, and describes itself in a few words.

Configs, mappings and card templates are sections of such keys.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crm_engine import _core
from crm_engine.errors import ConfigError
from crm_engine.yaml_tree import Node


@dataclass(frozen=True)
class Kind(ABC):
    """What a key may hold; the subclasses say how it is checked and how the JSON Schema tells it."""

    @abstractmethod
    def check(self, node: Node) -> Any:
        """The value, or a ``ConfigError`` that names the line."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the kind."""

    @abstractmethod
    def told(self) -> str:
        """The kind in a few words, for the documentation."""


@dataclass(frozen=True)
class Number(Kind):
    """A number between two bounds, whole if ``whole``."""

    least: float
    most: float
    whole: bool = False

    def check(self, node: Node) -> Any:
        value = node.number()
        if value is None or (self.whole and value != int(value)):
            raise node.error(f"is {node.told()}, and must be {'a whole number' if self.whole else 'a number'}")
        if not self.least <= value <= self.most:
            raise node.error(f"is {node.text}, and must lie between {self.least:g} and {self.most:g}")
        return int(value) if self.whole else float(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer" if self.whole else "number", "minimum": self.least, "maximum": self.most}

    def told(self) -> str:
        return f"{'whole number' if self.whole else 'number'}, {self.least:g} to {self.most:g}"


@dataclass(frozen=True)
class Text(Kind):
    """A text; ``may_be_empty`` where the empty text means something."""

    may_be_empty: bool = False

    def check(self, node: Node) -> Any:
        text = node.scalar_text()
        if text is None or (not text and not self.may_be_empty):
            raise node.error(f"is {node.told()}, and must be a text")
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string"} if self.may_be_empty else {"type": "string", "minLength": 1}

    def told(self) -> str:
        return "text"


@dataclass(frozen=True)
class Flag(Kind):
    """True or false."""

    def check(self, node: Node) -> Any:
        value = node.boolean()
        if value is None:
            raise node.error(f"is {node.told()}, and must be true or false")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def told(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Choice(Kind):
    """One of some words."""

    words: tuple[str, ...]

    def check(self, node: Node) -> Any:
        text = node.scalar_text()
        if text not in self.words:
            hint = nearest(text or "", self.words)
            known = "a known one" if hint and len(self.words) > 12 else f"one of {', '.join(self.words)}"
            raise node.error(f"is {node.told()}, and must be {known}{hint}")
        return text

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}

    def told(self) -> str:
        return "one of " + ", ".join(f"`{word}`" for word in self.words)


@dataclass(frozen=True)
class Size(Kind):
    """A number of bytes as people write it."""

    def check(self, node: Node) -> Any:
        text = node.scalar_text()
        if text is None:
            raise node.error(f"is {node.told()}, and must be a size such as 2.5GiB")
        try:
            return _core.parse_byte_size(text)
        except ConfigError as error:
            raise node.error(str(error)) from None

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\s*[0-9.]+\s*([kKmMgGtT]i?)?[bB]?\s*$"}]}

    def told(self) -> str:
        return "size, such as `2.5GiB`"


@dataclass(frozen=True)
class ListOf(Kind):
    """A list; one value alone is a list of one."""

    item: Kind

    def check(self, node: Node) -> Any:
        if node.items is not None:
            return [self.item.check(item) for item in node.items]
        if node.entries is not None or node.is_null():
            raise node.error(f"is {node.told()}, and must be a list")
        return [self.item.check(node)]

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema()}

    def told(self) -> str:
        return f"list of {self.item.told()}"


@dataclass(frozen=True)
class MapOf(Kind):
    """Names of the user's own to values of one kind; ``null`` where ``nullable``."""

    item: Kind
    nullable: bool = False

    def check(self, node: Node) -> Any:
        if node.entries is None:
            raise node.error(f"is {node.told()}, and must be a mapping")
        return {key: None if self.nullable and value.is_null() else self.item.check(value) for key, _, value in node.entries}

    def schema(self) -> dict[str, Any]:
        item = self.item.schema()
        return {"type": "object", "additionalProperties": {"anyOf": [item, {"type": "null"}]} if self.nullable else item}

    def told(self) -> str:
        return f"names to {self.item.told()}"


@dataclass(frozen=True)
class Key:
    """A key of a section: its kind, what it means, and its default in words where there is none as a value."""

    kind: Kind
    meaning: str
    default: Any = None


@dataclass(frozen=True)
class Section(Kind):
    """Known keys; any other is an error that names the nearest."""

    keys: Mapping[str, Key]

    def check(self, node: Node) -> Any:
        if node.is_null():
            return {}
        if node.entries is None:
            raise node.error(f"is {node.told()}, and must be a mapping of keys to values")
        checked: dict[str, Any] = {}
        for name, line, value in node.entries:
            known = self.keys.get(name)
            if known is None:
                raise node.error_at(line, f"unknown key '{name}'{nearest(name, self.keys)}")
            if not value.is_null():
                checked[name] = known.kind.check(value)
        return checked

    def schema(self) -> dict[str, Any]:
        properties = {}
        for name, key in self.keys.items():
            schema = {"description": key.meaning, **key.kind.schema()}
            if key.default is not None and not isinstance(key.kind, Section):
                schema["default"] = key.default
            properties[name] = schema
        return {"type": "object", "additionalProperties": False, "properties": properties}

    def told(self) -> str:
        return "section"


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where a known name is near, otherwise the empty text."""
    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), list(folded), 1, 0.6)
    return f"; did you mean '{folded[near[0]]}'?" if near else ""
