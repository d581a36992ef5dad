"""Columns of texts as what their values are: whole numbers, amounts, dates, yes and no, or texts still.

What a column means comes first: roles are found as in every import, and a telephone, a postcode or a number of an order is no amount and
no date, whatever it looks like.
"""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from enum import Enum

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.columns import ids, is_text, trimmed
from crm_engine.config import role_names
from crm_engine.detection import HEAD_ROWS
from crm_engine.errors import UnreadAmountsWarning
from crm_engine.told_once import ambiguous_dates
from crm_engine.written import written_times
from crm_engine.written_numbers import written_numbers


class _Meaning(Enum):
    """What may be made of a column's texts."""

    #: Nothing: the type must not depend on which contacts a file holds.
    TEXT = 0
    #: Whole numbers, or yes and no.
    CODE = 1
    #: Whatever they all are.
    OPEN = 2
    #: Dates, and whatever they all are where that is no date.
    DATE = 3


#: Roles whose values are texts though all may be digits.
_TEXT_ROLES = frozenset({"phone", "postcode", "tax_id"})
#: Roles of dates, and of other numbers; all others are names, words and keys.
_DATE_ROLES = frozenset({"birth_date", "created_at", "updated_at"})
_OPEN_ROLES = frozenset({"latitude", "longitude"})
#: How headers of codes end, and how they begin, for columns that have no role.
_CODE_LAST = frozenset(
    "id no nr number num code key ref reference sku ean isbn gtin article serial guid uuid номер код артикул шифр ид"
    " kods numurs artikuls kod".split()
)
_CODE_FIRST = frozenset("id ид № номер код артикул шифр kod numer numero".split())
#: How headers of dates end, or begin, for columns that have no role.
_DATE_LAST = frozenset("at on date datum datums data fecha дата".split())
_DATE_FIRST = frozenset("date datum datums data fecha дата".split())
#: Numbers as programs write them, with a fraction or not, and with fewer digits than a tax id has.
_PLAIN = r"^-?\d+([.,]\d+)?$"
_FRACTION = r"[.,]\d*[1-9]"
_SMALL = r"^-?\d{1,6}([.,]\d+)?$"
#: Measures are written so as often as dates.
_THREE_SHORT = r"^\d\d? \d\d? \d\d?$"
#: Leading zeros, plus signs and very many digits belong to codes and telephones, not to numbers.
_CODE = r"^(\+|-?0[0-9]|[0-9]{16,})"
#: What is said of numbers that were not read.
_NOT_COUNTED = "unreadable as numbers of groups of three digits with the decimal sign of the column, and not counted"
_KEPT_AS_TEXT = "undecided between a decimal comma and a decimal point, so that the column stays text; write 1234.50 or 1 234,50"
#: Values that tell whether it is worth while to look at all.
_GLANCED = 1_000


def typed_columns(table: pa.Table, name: str, date_order: str | None = None, *, are_stored: bool = False) -> pa.Table:
    """``table`` with the narrowest type that all values of a text column have; columns that are no texts stay as they are.

    Numbers and dates may be written as people write them. Numbers that cannot be read as the others of their column are null, with an
    :class:`~crm_engine.errors.UnreadAmountsWarning`; where half of them cannot, or anything else is among them, the column stays text.
    With ``are_stored`` the texts are those of a base, which knows what it keeps as text: codes and words stay as they are.

    >>> typed_columns(pa.table({"order_no": ["12-11-10"], "at": ["12-11-10"], "spent": ["1 234,50"]}), "orders", "dmy").to_pylist()
    [{'order_no': '12-11-10', 'at': datetime.date(2010, 11, 12), 'spent': 1234.5}]
    """
    meanings = _meanings(table)
    for place, column in enumerate(table.column_names):
        if column in meanings:
            text = trimmed(table[column])
            meaning = meanings[column]
            if meaning is _Meaning.CODE and not are_stored:
                text = ids(text)
                text = _as_one_of(text, [*_numbers_of(text, [pa.int64()]), pa.bool_()])
            elif meaning in (_Meaning.OPEN, _Meaning.DATE):
                text = _narrowed(text, column, name, date_order, is_date=meaning is _Meaning.DATE)
            table = table.set_column(place, column, text)
    return table


def without_loss(typed: pa.Table, texts: pa.Table) -> pa.Table:
    """``typed``, which was made of ``texts``, with the texts of the columns in which a value could not be read: to be written out again."""
    for place, column in enumerate(typed.column_names):
        if typed[column].null_count and typed[column].null_count > trimmed(texts[column]).null_count:
            typed = typed.set_column(place, column, texts[column])
    return typed


def _meanings(table: pa.Table) -> dict[str, _Meaning]:
    """What may be made of each column of texts: by its role, and where it has none by its header."""
    texts = table.select([field.name for field in table.schema if is_text(field.type)])
    if not texts.column_names:
        return {}
    head = texts.slice(0, HEAD_ROWS)
    found = json.loads(_core.detect_roles(head.cast(pa.schema([(column, pa.string()) for column in head.column_names]))))
    return {one["column"]: _meaning(one["role"], one["column"], trimmed(head[one["column"]])) for one in found}


def _meaning(role: str | None, header: str, values: pa.ChunkedArray) -> _Meaning:
    # Of few rows a role may not be found; a column that bears its very name has it all the same.
    if header in role_names():
        role = role or header
    elif role is not None and not _look_like(role, values):
        role = None
    if role in _TEXT_ROLES:
        return _Meaning.TEXT
    if role in _DATE_ROLES:
        return _Meaning.DATE
    if role is not None:
        return _Meaning.OPEN if role in _OPEN_ROLES else _Meaning.CODE
    return _meaning_of_header(header, values)


def _look_like(role: str, values: pa.ChunkedArray) -> bool:
    """Whether values may have the role that a header speaks of: ``vat`` may be a rate, and ``company_revenue`` names no company."""
    if role == "tax_id":
        return not _are_all(values, _SMALL)
    if role in _TEXT_ROLES | _DATE_ROLES | _OPEN_ROLES or role == "source_key":
        return True
    return bool(pc.any(pc.match_substring_regex(values, r"\pL")).as_py())


def _meaning_of_header(header: str, values: pa.ChunkedArray) -> _Meaning:
    """What a column without a role means: a code in ``order_no``, ``productCode``, ``Номер заказа``, ``Bestellnummer``; not in
    ``Number of orders``, nor where decimals follow the word, as in ``id_share``."""
    words = [word.casefold() for word in re.findall("№|[^\\W\\d_]+", re.sub("([a-z])([A-Z])", r"\1 \2", header))]
    if not words or "of" in words:
        return _Meaning.OPEN
    if words[-1] in _CODE_LAST or words[-1].endswith(("nummer", "nr")):
        return _Meaning.CODE
    if words[0] in _CODE_FIRST:
        return _Meaning.OPEN if len(words) > 1 and _has_decimals(values) else _Meaning.CODE
    return _Meaning.DATE if words[-1] in _DATE_LAST or words[0] in _DATE_FIRST else _Meaning.OPEN


def _are_all(values: pa.ChunkedArray, pattern: str) -> bool:
    """Whether there are values, and all are written so."""
    return values.null_count < len(values) and bool(pc.all(pc.match_substring_regex(values, pattern)).as_py())


def _has_decimals(values: pa.ChunkedArray) -> bool:
    return _are_all(values, _PLAIN) and bool(pc.any(pc.match_substring_regex(values, _FRACTION)).as_py())


def _narrowed(text: pa.ChunkedArray, column: str, table: str, date_order: str | None, *, is_date: bool) -> pa.ChunkedArray:
    """Texts as what all of them are; what could be dates and numbers (``20260131``) is a date in a column of dates, else a number."""
    if text.null_count == len(text):
        return text
    if is_date and (dates := _dates(text, column, table, date_order)) is not None:
        return dates
    numbers = _numbers_of(text, [pa.int64(), pa.float64()])
    typed = _as_one_of(text, [*numbers, pa.date32(), pa.timestamp("us"), pa.bool_()])
    if typed is not text:
        return typed
    glanced = _glanced(text)
    is_measure = pc.any(pc.match_substring_regex(glanced, _THREE_SHORT)).as_py()
    if not is_date and not is_measure and (dates := _dates(text, column, table, date_order)) is not None:
        return dates
    return _amounts(text, column, table) if numbers and written_numbers(glanced).is_attempt else text


def _dates(text: pa.ChunkedArray, column: str, table: str, date_order: str | None) -> pa.ChunkedArray | None:
    """Texts as dates or times, where all of them are such."""
    if written_times(_glanced(text), date_order).values.null_count:
        return None
    found = written_times(text, date_order)
    if found.values.null_count > text.null_count:
        return None
    if found.is_ambiguous:
        ambiguous_dates(table, column)
    return found.values if found.has_clock else found.values.cast(pa.date32())


def _glanced(text: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([text.drop_null().slice(0, _GLANCED).combine_chunks()])


def _amounts(text: pa.ChunkedArray, column: str, table: str) -> pa.ChunkedArray:
    """Numbers as people write them, where most of the texts are such and the others try to be."""
    found = written_numbers(text)
    is_column = found.is_attempt and found.n_unread * 2 < len(text) - text.null_count
    if found.first_unread is not None and (is_column or found.is_undecided):
        fault = _NOT_COUNTED if is_column else _KEPT_AS_TEXT
        warnings.warn(UnreadAmountsWarning(table, column, found.n_unread, found.first_unread + 1, fault), stacklevel=2)
    return _as_one_of(found.values, [pa.int64(), pa.float64()]) if is_column else text


def _numbers_of(text: pa.ChunkedArray, kinds: list[pa.DataType]) -> list[pa.DataType]:
    """The kinds of numbers that texts may be: none where one of them is a code."""
    return [] if pc.any(pc.match_substring_regex(text, _CODE)).as_py() else kinds


def _as_one_of(text: pa.ChunkedArray, kinds: list[pa.DataType]) -> pa.ChunkedArray:
    """Texts as the first of ``kinds`` that all of them are, or as they are."""
    if text.null_count < len(text):
        for kind in kinds:
            with contextlib.suppress(pa.ArrowInvalid):
                return text.cast(kind)
    return text
