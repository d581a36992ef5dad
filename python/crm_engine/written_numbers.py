"""Numbers as people write them: groups of three digits, a decimal comma or point, one of them for a whole column.

What a number looks like is said once, in ``_FORMS``; a column and a single cell are held against the same patterns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: What is written in several ways, in the one that the forms know: spaces of all kinds, apostrophes, minus signs, accountants' brackets.
_TIDYING = (
    ("[\u00a0\u2007\u2009\u202f]", " "),
    ("\u2019", "'"),
    ("\u2212", "-"),
    (r"^\(([0-9.,].*)\)$", r"-\1"),
)


def _form(decimal: str) -> str:
    """Numbers with this decimal sign, or with none; groups but the first are of three digits, with one sign between them."""
    groups = "|".join(f"[1-9][0-9]{{0,2}}(?:{between}[0-9]{{3}})+" for between in (" ", "'", r"\." if decimal == "," else ","))
    sign = re.escape(decimal)
    return rf"^[+-]?(?:(?:[0-9]+|{groups})(?:{sign}[0-9]*)?|{sign}[0-9]+)$"


_FORMS = {sign: _form(sign) for sign in (",", ".")}
#: What a number is made of; a text of anything else is no attempt at one.
_MADE_OF = "^[-+(]?[0-9.,' ]*[0-9][0-9.,' ]*\\)?$"
#: A column tells how `1,234` is meant when its values show one decimal sign so many times more often than the other.
_CLEARLY = 20


@dataclass
class WrittenNumbers:
    """A column of numbers that were text."""

    #: Texts in the form of programs (``1234.5``), null where a text is no number.
    values: pa.ChunkedArray
    #: Texts that are no numbers by the decimal sign of the column, and the place of the first.
    n_unread: int
    first_unread: int | None
    #: All texts are made of digits and the signs of numbers only.
    is_attempt: bool
    #: Each of the texts that were not read would be a number by one decimal sign or the other.
    is_undecided: bool


def written_numbers(text: pa.ChunkedArray) -> WrittenNumbers:
    """Reads numbers with groups of digits or a decimal comma; texts are trimmed.

    The decimal sign of a column is the one that most of the values show which can be read in one way only. A value by the other sign is
    not read, and neither is one with two readings (``1,234``) where the column does not tell clearly; ``1.234`` alone is what programs
    write.

    >>> written_numbers(pa.chunked_array([["1 234,50", "2,5", "-7", "5 1000", "12.5"]])).values.to_pylist()
    ['1234.50', '2.5', '-7', None, None]
    >>> written_numbers(pa.chunked_array([["1,234"]])).n_unread
    1
    """
    counted = pc.value_counts(text.drop_null())
    unique, counts = counted.field("values"), counted.field("counts").to_numpy(zero_copy_only=False)
    tidy = unique
    for pattern, replacement in _TIDYING:
        tidy = pc.replace_substring_regex(tidy, pattern, replacement)
    fits = {sign: _matches(tidy, form) for sign, form in _FORMS.items()}
    has_mark, either = _matches(tidy, "[.,]"), fits[","] & fits["."]
    n_comma, n_point = (int(counts[fit & ~either].sum()) for fit in (fits[","], fits["."]))
    sign, is_clear = _decimal_sign(n_comma, n_point, has_open_comma=bool((either & _matches(tidy, ",")).any()))
    good = (fits[sign] if sign else either & ~has_mark) & (is_clear | ~either | ~has_mark)
    plain = _plain(tidy, sign)
    places = pc.index_in(text, value_set=unique)
    values = pa.chunked_array([pc.if_else(pa.array(good), plain, pa.scalar(None, pa.string()))]).take(places)
    unread = pc.and_(pc.is_null(values), pc.is_valid(text))
    first = pc.index(unread, True).as_py()
    return WrittenNumbers(
        values,
        int(counts[~good].sum()),
        None if first < 0 else first,
        bool(_matches(tidy, _MADE_OF).all()),
        bool((good | fits[","] | fits["."]).all()),
    )


def as_number(text: str, decimal: str | None = None) -> float | None:
    """The number that a cell shows: ``1 234,50`` and ``1234.5`` are one. ``decimal`` tells the decimal sign where the cell does not.

    >>> as_number("1 234,50"), as_number("5 1000"), as_number("1,234"), as_number("1,234", decimal=",")
    (1234.5, None, None, 1.234)
    """
    tidy = text.strip()
    for pattern, replacement in _TIDYING:
        tidy = re.sub(pattern, replacement, tidy)
    comma, point = (re.search(_FORMS[sign], tidy) is not None for sign in (",", "."))
    if decimal is None:
        decimal, _ = _decimal_sign(int(comma and not point), int(point and not comma), has_open_comma=comma and point and "," in tidy)
    if decimal is None or not (comma if decimal == "," else point):
        return None
    return float(re.sub(_other_than(decimal), "", tidy).replace(",", "."))


def _decimal_sign(n_comma: int, n_point: int, *, has_open_comma: bool) -> tuple[str | None, bool]:
    """``,`` or ``.`` where so many values must have the one and so many the other, and whether it holds for what may have either.

    Nothing where the values do not say which it is.
    """
    if n_comma != n_point:
        return "," if n_comma > n_point else ".", max(n_comma, n_point) >= min(n_comma, n_point) * _CLEARLY
    # Programs write points and no groups; nobody says whether `1,234` is more than a thousand.
    is_told = not n_comma and not has_open_comma
    return "." if is_told else None, is_told


def _plain(tidy: Any, sign: str | None) -> Any:
    """As programs write them."""
    plain = pc.replace_substring_regex(tidy, _other_than(sign or "."), "")
    plain = pc.replace_substring_regex(pc.replace_substring(plain, ",", "."), r"\.$", "")
    return pc.replace_substring_regex(plain, r"^(-?)\.", r"\10.")


def _other_than(decimal: str) -> str:
    """What stands in a number beside digits, its decimal sign and a minus."""
    return "[ '+.]" if decimal == "," else "[ '+,]"


def _matches(texts: Any, pattern: str) -> np.ndarray:
    return np.asarray(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False), bool)
