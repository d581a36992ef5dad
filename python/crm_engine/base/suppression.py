"""People who were erased stay out: rows that bear one of their identifiers are not taken in again.

Kept are keyed hashes (HMAC-SHA256 under a secret of the base) of source keys, tax ids, e-mail addresses and telephones. An identifier that
a remaining contact shares (a switchboard, info@) is not kept, since it would keep that contact out too.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.base.references import flat, phone_region

if TYPE_CHECKING:
    from crm_engine.base.lake import Cursor
    from crm_engine.base.runs import Writing

#: Roles whose values identify a person.
IDENTIFYING = ("tax_id", "email", "phone")


class Suppression:
    """The hashes of one base, looked up while rows come in."""

    def __init__(self, writing: Writing) -> None:
        self._base = writing.base
        transaction = writing.transaction
        known = transaction.rows("SELECT kind, hash FROM suppressed")
        self.is_needed = bool(known)
        self._known: dict[str, set[str]] = {}
        for kind, digest in known:
            self._known.setdefault(kind, set()).add(digest)
        self._secret = secret_of(transaction) if known else b""

    def kept(self, batch: pa.RecordBatch, columns: Sequence[tuple[str, str | None]], sources: Any, keys: Any) -> pa.Array:
        """Which rows belong to nobody who was erased."""
        erased = np.zeros(len(batch), bool)
        if "source_key" in self._known:
            pairs = [
                None if key is None else source_key(source, key) for source, key in zip(sources.to_pylist(), keys.to_pylist(), strict=True)
            ]
            erased |= self._hits("source_key", pairs)
        region = phone_region(self._base)
        for name, role in columns:
            if role in IDENTIFYING and role in self._known:
                lists = pa.array(_core.normal_values(role, flat(batch.column(name)), region))
                hit = self._hits(role, lists.flatten().to_pylist())
                rows = np.asarray(pc.list_parent_indices(lists).to_numpy(zero_copy_only=False))
                erased[rows[hit]] = True
        return pa.array(~erased)

    def named(self, texts: Sequence[str | None], source: str) -> list[bool]:
        """Which raw rows contain an identifier of somebody who was erased; ``source`` is whose keys they would have."""
        if not self.is_needed:
            return [False] * len(texts)
        region = phone_region(self._base)
        erased = np.zeros(len(texts), bool)
        for kind, parts_of in _IN_TEXT.items():
            if kind not in self._known:
                continue
            found = [(place, part) for place, text in enumerate(texts) if text for part in dict.fromkeys(parts_of(text))]
            places, parts = np.array([place for place, _ in found], np.int64), [part for _, part in found]
            if kind == "source_key":
                erased[places[self._hits(kind, [source_key(source, part) for part in parts])]] = True
                continue
            lists = pa.array(_core.normal_values(kind, pa.array(parts, pa.string()), region))
            of = np.asarray(pc.list_parent_indices(lists).to_numpy(zero_copy_only=False))
            erased[places[of[self._hits(kind, lists.flatten().to_pylist())]]] = True
        return [bool(one) for one in erased]

    def _hits(self, kind: str, values: Sequence[str | None]) -> Any:
        known = self._known[kind]
        digests: dict[str, bool] = {}
        for value in values:
            if value is not None and value not in digests:
                digests[value] = keyed_hash(self._secret, kind, value) in known
        return np.array([value is not None and digests[value] for value in values], bool)


#: A shorter key is looked for as a whole cell only: as a word it may be anything, a house or a quantity.
_SHORTEST_KEY = 5
#: Most groups of digits that one number is written in.
_MOST_GROUPS = 8
_CELL = re.compile(r"[^,;|\t\"]+")
_EMAIL = re.compile(r"[^,;|\t\"'<>()\s]+@[^,;|\t\"'<>()\s]+")
_WORD = re.compile(r"\w[\w-]{3,}")
#: Groups of digits that may be one number: between them stand blanks, of whatever width, or what numbers are written with.
_DIGIT_GROUPS = re.compile(r"\+?\(?\d+(?:[\s().\-/]{1,3}\d+)*")


def _keys_in(text: str) -> list[str]:
    cells = [cell.strip() for cell in _CELL.findall(text)]
    return [*cells, *(word for cell in cells for word in cell.split() if len(word) >= _SHORTEST_KEY)]


def _numbers_in(text: str) -> list[str]:
    """All that neighbouring groups of digits could be as one number; which of them belong together is not known."""
    numbers = []
    for written in _DIGIT_GROUPS.findall(text):
        groups = re.findall(r"\d+", written)
        for first in range(len(groups)):
            for end in range(first + 1, min(first + _MOST_GROUPS, len(groups)) + 1):
                digits = "".join(groups[first:end])
                if 6 <= len(digits) <= 15:
                    numbers.append(digits)
                    if first == 0 and written.startswith("+"):
                        numbers.append(f"+{digits}")
    return numbers


def _tax_ids_in(text: str) -> list[str]:
    return [*_WORD.findall(text), *_numbers_in(text)]


#: Parts of a raw row, whose delimiter is not known, that may be an identifier of the kind.
_IN_TEXT: dict[str, Callable[[str], list[str]]] = {
    "source_key": _keys_in,
    "tax_id": _tax_ids_in,
    "email": _EMAIL.findall,
    "phone": _numbers_in,
}


def source_key(source: str, key: str) -> str:
    """A key with its source, as one text."""
    return f"{source}\x1f{key}"


def secret_of(cursor: Cursor) -> bytes:
    """The secret under which a base hashes identifiers."""
    return bytes.fromhex(cursor.value("SELECT value FROM meta WHERE key = 'secret'"))


def keyed_hash(secret: bytes, kind: str, value: str) -> str:
    """An identifier that cannot be found by trying values without the secret."""
    return hmac.new(secret, f"{kind}\x1f{value}".encode(), hashlib.sha256).hexdigest()


def hashes_of(secret: bytes, identifiers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """(kind, hash) of (kind, value), each once."""
    return sorted({(kind, keyed_hash(secret, kind, value)) for kind, value in identifiers})
