"""Currencies that are written beside amounts: ``1 234,50 ₽``, ``EUR 20``."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.columns import chunked, texts, trimmed
from crm_engine.errors import SchemaError
from crm_engine.related_words import currency_signs

#: What amounts are made of besides digits: blanks of all kinds, points, commas, apostrophes, and what says that one is negative.
_BLANK, _BETWEEN, _NEGATIVE = "\\s\u00a0\u2007\u2009\u202f", ".,'\u2019", "(+\u2212\\-"
_SIGN = f"[^\\d{_BLANK}{_BETWEEN}{_NEGATIVE})]+"
_WRITTEN = (
    f"^(?P<before>{_SIGN})?\\.?[{_BLANK}]*(?P<number>[{_NEGATIVE}]?[{_BLANK}]*\\d[\\d{_BLANK}{_BETWEEN}]*\\)?)"
    f"[{_BLANK}]*(?P<after>{_SIGN})?\\.?$"
)


def without_currencies(values: Any) -> tuple[pa.ChunkedArray, pa.ChunkedArray | None]:
    """A column of amounts without the currencies that its texts name, and these as codes; no codes where none is named, or where a text is
    anything but an amount with a known currency.

    >>> amounts, codes = without_currencies(pa.chunked_array([["1 234,50 ₽", "20 руб.", "€5", "7", None]]))
    >>> amounts.to_pylist(), codes.to_pylist()
    (['1 234,50', '20', '5', '7', None], ['RUB', 'RUB', 'EUR', None, None])
    """
    values = chunked(values)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type)):
        return values, None
    text = trimmed(values)
    if not pc.any(pc.match_substring_regex(text, _SIGN)).as_py():
        return values, None
    parts = pc.extract_regex(text, _WRITTEN)
    before, number, after = (pc.struct_field(parts, name) for name in ("before", "number", "after"))
    known = currency_signs()
    sign = pc.utf8_lower(pc.binary_join_element_wise(before, after, ""))
    place = pc.index_in(sign, value_set=pa.array(list(known)))
    is_read = pc.or_(pc.is_valid(place), pc.fill_null(pc.equal(sign, ""), False))
    if place.null_count == len(place) or not pc.all(pc.or_(is_read, pc.is_null(text))).as_py():
        return values, None
    return pc.utf8_trim_whitespace(number), pa.chunked_array([pa.array(list(known.values()))]).take(place)


def currency_codes(said: Any) -> pa.ChunkedArray:
    """A column of currencies as codes, so that one currency is one whatever its rows call it; what is none that is known stays as it is.

    >>> currency_codes(pa.chunked_array([["руб.", "₽", "RUB", "eur", "points", None]])).to_pylist()
    ['RUB', 'RUB', 'RUB', 'EUR', 'points', None]
    """
    said, known = texts(said), currency_signs()
    sign = pc.utf8_rtrim(pc.utf8_lower(trimmed(said)), characters=".")
    codes = pa.chunked_array([pa.array(list(known.values()))]).take(pc.index_in(sign, value_set=pa.array(list(known))))
    return pc.coalesce(codes, said)


def currencies(said: Any, named: pa.ChunkedArray | None, of: str) -> pa.ChunkedArray | None:
    """The currency of each amount: what its column says, or else the sign beside the amount; where the two differ it is an error."""
    if said is None:
        return named
    codes = currency_codes(said)
    if named is None:
        return codes
    row = pc.index(pc.fill_null(pc.not_equal(codes, named), False), True).as_py()
    if row >= 0:
        raise SchemaError(
            f"{of}: row {row + 1} has an amount in {named[row]}, and the currency {texts(said)[row]} in its column; correct one of the two"
        )
    return pc.coalesce(codes, named)
