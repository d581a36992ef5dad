"""Card templates: which columns a sheet of contacts has, in which order, and what their cells may hold.

::

    # card.yaml
    columns:
      - family_name: {label: Surname, required: true}
      - given_name
      - status: {values: [lead, customer, former]}
      - email: {check: email}
      - credit_limit: {check: number, min: 0, max: 100000}
      - owner: {locked: true}

A template shapes the sheet that ``export`` writes (order, labels, drop-downs, required columns marked) and what an import takes back.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.arrow_text import as_text
from crm_engine.config_kinds import Choice, Flag, Key, Kind, ListOf, Number, Section, Text, nearest
from crm_engine.errors import ConfigError
from crm_engine.written_numbers import as_number
from crm_engine.yaml_tree import Node, from_object, parse_yaml

CHECKS = ("text", "email", "phone", "date", "number", "whole")
_BOUND = Number(-1e15, 1e15)
_COLUMN = Section(
    {
        "label": Key(Text(), "Header of the column; its name otherwise."),
        "required": Key(Flag(), "Whether each card must have a value."),
        "values": Key(ListOf(Text()), "The values that are allowed, as a drop-down list."),
        "check": Key(Choice(CHECKS), "What a value must be."),
        "pattern": Key(Text(), "A regular expression that the whole value must match."),
        "min": Key(_BOUND, "The least number that is allowed."),
        "max": Key(_BOUND, "The greatest number that is allowed."),
        "max_length": Key(Number(1, 32_767, whole=True), "Characters at most."),
        "locked": Key(Flag(), "Shown, but changes are refused."),
        "width": Key(Number(1, 255), "Width in characters."),
        "hint": Key(Text(), "A note at the header."),
    }
)


@dataclass(frozen=True)
class _Column(Kind):
    """The name of a column, or a name with what is said of it."""

    def check(self, node: Node) -> Any:
        name = node.scalar_text()
        if name is not None:
            return name, {}
        if node.entries is None or len(node.entries) != 1:
            raise node.error("must be the name of a column, or one name with its settings: `- email: {check: email}`")
        (name, _, settings), *_ = node.entries
        return name, _COLUMN.check(settings)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": _COLUMN.schema()}]}

    def told(self) -> str:
        return "column"


_TEMPLATE = Section({"columns": Key(ListOf(_Column()), "The columns of a card, in their order.")})


@dataclass(frozen=True)
class CardColumn:
    """One column of a card."""

    name: str
    label: str
    required: bool = False
    values: tuple[str, ...] = ()
    check: str = "text"
    pattern: str | None = None
    min: float | None = None
    max: float | None = None
    max_length: int | None = None
    locked: bool = False
    width: float | None = None
    hint: str | None = None

    def problem(self, text: str | None) -> str | None:
        """What is wrong with a value, without the value itself; ``None`` where nothing is."""
        if not text:
            return "is required" if self.required else None
        if self.values and text not in self.values:
            near = nearest(text, self.values)
            return f"is not one of the allowed values ({', '.join(self.values[:8])}{', ...' if len(self.values) > 8 else ''}){near}"
        if self.max_length is not None and len(text) > self.max_length:
            return f"is longer than {self.max_length} characters"
        if self.pattern is not None and re.fullmatch(self.pattern, text) is None:
            return f"does not match the pattern {self.pattern}"
        return self._wrong_kind(text)

    def _wrong_kind(self, text: str) -> str | None:
        if self.check in ("email", "phone"):
            wrong = [part for part in text.split(";") if part.strip() and not _is_point(part.strip(), self.check)]
            return f"is no {'e-mail address' if self.check == 'email' else 'telephone number'}" if wrong else None
        if self.check == "date":
            return None if iso_day(text) else "is no date"
        if self.check in ("number", "whole") or self.min is not None or self.max is not None:
            number = as_number(text)
            if number is None or (self.check == "whole" and number != int(number)):
                return "is no whole number" if self.check == "whole" else "is no number"
            if self.min is not None and number < self.min:
                return f"is less than {self.min:g}"
            if self.max is not None and number > self.max:
                return f"is more than {self.max:g}"
        return None


@dataclass(frozen=True)
class CardTemplate:
    """The columns of a card.

    >>> template = CardTemplate.load({"columns": ["family_name", {"status": {"values": ["lead", "customer"]}}]})
    >>> [column.name for column in template.columns]
    ['family_name', 'status']
    >>> template.problems({"status": "client"})
    [('status', 'is not one of the allowed values (lead, customer)')]
    """

    columns: tuple[CardColumn, ...] = field(default_factory=tuple)

    @classmethod
    def load(cls, source: str | os.PathLike[str] | Mapping[str, Any] | CardTemplate) -> CardTemplate:
        """Reads and checks a template: a YAML file, or the same as a dict; what is wrong is a ``ConfigError`` with the line."""
        if isinstance(source, CardTemplate):
            return source
        if isinstance(source, Mapping):
            tree = from_object(dict(source))
        else:
            path = Path(source)
            try:
                tree = parse_yaml(path.read_bytes(), str(path))
            except FileNotFoundError:
                raise ConfigError(f"{path}: there is no such card template") from None
        said = _TEMPLATE.check(tree).get("columns")
        if not said:
            raise ConfigError("a card template names its columns: `columns: [family_name, email, ...]`")
        columns: list[CardColumn] = []
        for name, settings in said:
            if any(column.name == name for column in columns):
                raise ConfigError(f"the card template names the column '{name}' twice")
            columns.append(_card_column(name, settings))
        labels = [column.label.casefold() for column in columns]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ConfigError(f"the card template has two columns under the label '{twice}'")
        return cls(tuple(columns))

    def named(self, known: Iterable[str]) -> list[str]:
        """The names of the columns, all of which must be known."""
        known = list(known)
        for column in self.columns:
            if column.name not in known:
                raise ConfigError(
                    f"the card template names '{column.name}', which is no column of the contacts{nearest(column.name, known)}"
                )
        return [column.name for column in self.columns]

    def problems(self, card: Mapping[str, str | None]) -> list[tuple[str, str]]:
        """What is wrong with a card: (column, reason). Columns that the card does not have are not judged."""
        found = ((column.name, column.problem(card[column.name])) for column in self.columns if column.name in card)
        return [(name, reason) for name, reason in found if reason is not None]

    def style(self) -> dict[str, dict[str, Any]]:
        """The look of each column, for ``write_sheets``."""
        return {column.name: _look(column) for column in self.columns}


def _card_column(name: str, settings: dict[str, Any]) -> CardColumn:
    settings = dict(settings)
    settings["values"] = tuple(settings.get("values", ()))
    pattern = settings.get("pattern")
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"the card template: the pattern of '{name}' is no regular expression ({error})") from None
    return CardColumn(name=name, **{"label": name, **settings})


def _look(column: CardColumn) -> dict[str, Any]:
    look: dict[str, Any] = {"label": column.label}
    if column.width is not None:
        look["width"] = column.width
    if column.values:
        look["choices"] = list(column.values)
    if column.check == "date":
        look["dates"] = True
    if column.check in ("number", "whole"):
        look["numbers"] = True
    if column.required or column.locked:
        look["header"] = "orange" if column.required else "grey"
    notes = [column.hint or "", "required" if column.required else "", "not to be changed here" if column.locked else ""]
    hint = "\n".join(note for note in notes if note)
    return look | ({"hint": hint} if hint else {})


def _is_point(text: str, role: str) -> bool:
    places, _ = _core.contact_points(pa.array([text], pa.string()), role, None)
    return len(places) > 0


def iso_day(text: str) -> str | None:
    """The day that a cell shows, as ``YYYY-MM-DD``: ISO, or day, month and year between points, with or without midnight."""
    day = re.sub(r"[T ]00:00(:00)?(\.0+)?$", "", text.strip())
    for pattern in (r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})", r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"):
        if found := re.fullmatch(pattern, day):
            try:
                return datetime.date(int(found["y"]), int(found["m"]), int(found["d"])).isoformat()
            except ValueError:
                return None
    return None


#: What contacts have in columns of a role where anything else would stand above what sources say.
_DATES = ("birth_date", "created_at", "updated_at")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d?:\d\d(:\d\d([.,]\d+)?)? ?(Z|[+-]\d\d(:?\d\d)?)?)?")
_POINTS = {"email": "e-mail address", "phone": "telephone number"}


def misfit(column: str, text: str | None) -> str | None:
    """Why a text is no value of a contact's column, without the text itself; ``None`` where it may be one.

    >>> misfit("phone", "ask at the desk"), misfit("birth_date", "1980-05-17"), misfit("city", "Riga")
    ('is no telephone number', None, None)
    """
    if not text:
        return None
    if column in _DATES:
        return None if _is_date(text.strip()) else "is no date that can be read in one way only, such as 1980-05-17"
    if column in _POINTS and not _values(column, text):
        return f"is no {_POINTS[column]}"
    return None


def _is_date(text: str) -> bool:
    """Whether the engine reads a date; what it leaves as it was written can be read in two ways. Of ISO dates it looks at the day alone."""
    if re.match(r"\d{4}-\d\d-\d\d", text) and not _ISO_TIME.fullmatch(text):
        return False
    return any(re.fullmatch(r"\d{4}(-\d\d){0,2}", value) for value in _values("birth_date", text))


def _values(role: str, text: str) -> list[str]:
    """What the engine's reader makes of a text in a column of a role."""
    return pa.array(_core.normal_values(role, pa.array([text], pa.string())))[0].as_py() or []


def cards_of(batches: Any, wanted: Iterable[str]) -> pa.Table:
    """The contacts of these ids out of a stream of batches, all columns as text."""
    ids = pa.array(sorted(set(wanted)), pa.string())
    return _as_texts(batches, lambda batch: pc.is_in(pc.cast(batch.column(batch.schema.get_field_index("contact_id")), pa.string()), ids))


def all_cards(batches: Any) -> pa.Table:
    """All contacts of a stream of batches, all columns as text."""
    return _as_texts(batches, None)


def _as_texts(batches: Any, choose: Callable[[Any], Any] | None) -> pa.Table:
    chosen: list[pa.Table] = []
    names: list[str] | None = getattr(getattr(batches, "schema", None), "names", None)
    for batch in batches:
        names = batch.schema.names
        kept = batch if choose is None else batch.filter(choose(batch))
        if kept.num_rows:
            chosen.append(pa.table({name: as_text(kept.column(place)) for place, name in enumerate(names)}))
    if not chosen:
        return pa.table({name: pa.array([], pa.string()) for name in names or ["contact_id"]})
    return pa.concat_tables(chosen)
