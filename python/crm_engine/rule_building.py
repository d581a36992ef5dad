"""Rules built in Python: ``crm.field("city") == "Riga"``."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from typing import Any

from crm_engine import _core


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
        return Rule({"left": self._tree, "op": op, "value": tree_value(value)})

    def _call(self, name: str, *args: Any, **more: Any) -> Rule:
        return Rule({"call": name, "args": [self._tree, *map(tree_value, args)], **more})

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
        return Rule({"all": [self._tree, tree_value(other)]})

    def __or__(self, other: Rule) -> Rule:
        return Rule({"any": [self._tree, tree_value(other)]})

    def __invert__(self) -> Rule:
        return Rule({"none": [self._tree]})

    def __add__(self, other: Any) -> Rule:
        return Rule({"call": "+", "args": [self._tree, tree_value(other)]})

    def __sub__(self, other: Any) -> Rule:
        return Rule({"call": "-", "args": [self._tree, tree_value(other)]})

    def __rsub__(self, other: Any) -> Rule:
        return Rule({"call": "-", "args": [tree_value(other), self._tree]})

    def __mul__(self, other: Any) -> Rule:
        return Rule({"call": "*", "args": [self._tree, tree_value(other)]})

    def __truediv__(self, other: Any) -> Rule:
        return Rule({"call": "/", "args": [self._tree, tree_value(other)]})

    def is_in(self, values: Iterable[Any]) -> Rule:
        """The value is one of these."""
        return Rule({"left": self._tree, "op": "in", "value": [tree_value(value) for value in values]})

    def between(self, low: Any, high: Any) -> Rule:
        """The value lies between these, both included."""
        return Rule({"left": self._tree, "op": "between", "value": [tree_value(low), tree_value(high)]})

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
            more["filter"] = tree_value(where)
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


def tree_value(value: Any) -> Any:
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
    return tree_value(tree)
