"""Audiences: the members of segments, without those who must not be written to.

::

    members = crm.segment("contacts.parquet", "segments.yaml")
    chosen = crm.audience("contacts.parquet", members, ["vip"], purpose="marketing", suppress=["unsubscribed.csv"])
    chosen.table                 # the contacts' rows, whole
    chosen.left_out              # contact_id, reason
    chosen.summary               # {"members": 412, "left_out": {"suppressed": 3, "consent_refused": 20, ...}, "audience": 381, ...}

``contacts`` is a path, an Arrow table or stream, or a base's ``base.contacts()``; ``members`` is what ``crm.segment`` or
``base.segment`` returned. This module is the one place that decides who is left out; commands and bases call :func:`audience`.

**Purpose.** Without a purpose all members are exported. For ``"marketing"`` a contact needs consent: who refused it and who never
gave it are left out, and a table without a column of consent is an error. A suppression list holds whatever the purpose.

**Suppression list.** A file or table of e-mail addresses, telephone numbers and contact ids, in columns of any name or one below the other.
They are compared as the engine compares contacts: by mailbox (case, ``+tags`` and dots at Gmail do not matter) and by E.164
number. A contact is left out if *any* of its addresses or numbers is on the list. Every member is counted once: in the audience,
or under the first reason that holds of ``suppressed``, ``consent_refused``, ``consent_unknown``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.readable import ReadableTable, contact_key
from crm_engine.segment import SegmentResult

#: Why a member is left out, in the order in which reasons are looked for.
REASONS = ("suppressed", "consent_refused", "consent_unknown")
PURPOSES = ("marketing",)


@dataclass
class Audience:
    """Who is in, who is left out, and why."""

    #: The contacts' rows with all their columns.
    table: pa.Table
    #: ``contact_id`` and ``reason``, in the order of the contacts.
    left_out: pa.Table
    #: Members of the segments asked for.
    members: int
    purpose: str | None
    segments: list[str]
    #: Which columns say consent, e-mail and phone.
    columns: dict[str, list[str]]
    #: Entries of the suppression lists: how many, and how many are neither address nor number nor id.
    suppression: dict[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many were left out for each reason."""
        found = {entry["values"]: entry["counts"] for entry in pc.value_counts(self.left_out["reason"]).to_pylist()}
        return {reason: found.get(reason, 0) for reason in REASONS}

    @property
    def warnings(self) -> list[str]:
        """What is to be looked at before anybody is written to."""
        unreadable = self.suppression.get("unreadable", 0)
        if not unreadable:
            return []
        return [f"{unreadable} entries of the suppression list are no e-mail address, phone or contact id, and leave nobody out"]

    @property
    def summary(self) -> dict[str, Any]:
        """Counts, for a report or a log: ``members`` is ``audience`` and everybody in ``left_out``."""
        summary: dict[str, Any] = {
            "segments": self.segments,
            "purpose": self.purpose,
            "members": self.members,
            "audience": self.table.num_rows,
            "left_out": self.counts,
        }
        if self.suppression:
            summary["suppression"] = self.suppression
        if self.columns:
            summary["columns"] = self.columns
        return summary

    def __repr__(self) -> str:
        return f"<Audience of {self.table.num_rows} of {self.members} members>"


def audience(
    contacts: Any,
    members: SegmentResult | None = None,
    segments: Sequence[str] = (),
    *,
    purpose: str | None = None,
    suppress: Iterable[Any] = (),
    key: str | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Audience:
    """The contacts that are members of any of ``segments`` (all contacts without ``members``) and may be used for ``purpose``.

    ``suppress`` has suppression lists: paths, Arrow tables, or plain lists of texts. ``columns`` says which columns are
    ``marketing_consent``, ``email`` and ``phone`` where names and values do not say it themselves. ``contacts`` must be the table
    that ``members`` was made of. ``aliases`` leads from ids that a merge took away, which a list may still have, to the contacts' own.

    >>> import crm_engine as crm, pyarrow as pa
    >>> people = pa.table({"contact_id": [1, 2, 3], "email": ["a@x.lv", "b@x.lv", None], "marketing_consent": ["yes", "yes", "no"]})
    >>> crm.audience(people, purpose="marketing", suppress=[["B@X.LV"]]).summary["left_out"]
    {'suppressed': 1, 'consent_refused': 1, 'consent_unknown': 0}
    """
    if purpose is not None and purpose not in PURPOSES:
        raise ConfigError(f"there is no purpose '{purpose}'; the purposes are {', '.join(PURPOSES)}")
    if members is None and segments:
        raise ConfigError("segments were named without the result that knows their members; give members=...")
    table = ReadableTable.open(contacts, "contacts").whole()
    key = contact_key(table.schema, key)
    chosen = _members(table, key, members, segments)
    rows = table.filter(pa.array(chosen))
    roles = _roles(rows, columns or {}, consent=purpose == "marketing")
    reasons = np.full(rows.num_rows, -1, np.int8)
    suppression: dict[str, int] = {}
    entries = [_Suppression.read(one, key) for one in suppress]
    if entries:
        whole = _Suppression.joined(entries)
        hit = whole.hits(rows, key, roles, aliases or {})
        reasons[hit] = 0
        suppression = {"entries": whole.entries, "unreadable": whole.unreadable, "contacts": int(hit.sum())}
    if purpose == "marketing":
        given, refused = _consent(rows, roles)
        reasons[(reasons < 0) & refused] = 1
        reasons[(reasons < 0) & ~given] = 2
    out = reasons >= 0
    left_out = pa.table(
        {"contact_id": rows[key].filter(pa.array(out)), "reason": pa.array([REASONS[reason] for reason in reasons[out]], pa.string())}
    )
    return Audience(
        table=rows.filter(pa.array(~out)),
        left_out=left_out,
        members=rows.num_rows,
        purpose=purpose,
        segments=list(segments),
        columns={role: names for role, names in roles.items() if names},
        suppression=suppression,
    )


def _members(table: pa.Table, key: str, members: SegmentResult | None, segments: Sequence[str]) -> npt.NDArray[np.bool_]:
    chosen = np.ones(table.num_rows, bool)
    if members is None:
        return chosen
    if not segments:
        raise ConfigError(f"say which segments the audience is made of: {', '.join(members.segments[:20])}")
    if members.contacts != table.num_rows:
        raise SchemaError("the contacts are not those that the segments were made of: the numbers of rows differ")
    if not members.contact_ids.cast(pa.string()).equals(pa.chunked_array([_text(table[key])])):
        # Another order of rows, as from a second reading of a base: then members are found by their keys.
        wanted = pa.concat_arrays(
            [chunk for name in segments for chunk in members.of(name).cast(pa.string()).chunks] or [pa.array([], "string")]
        )
        by_key: npt.NDArray[np.bool_] = pc.is_in(_text(table[key]), wanted).to_numpy(zero_copy_only=False)
        return by_key
    chosen[:] = False
    for name in segments:
        chosen |= members.mask(name)
    return chosen


# --- what the columns mean ----------------------------------------------------------------------------------------------------


def _roles(table: pa.Table, given: Mapping[str, str | Sequence[str]], *, consent: bool) -> dict[str, list[str]]:
    """The columns of e-mail, phone and consent: as given, else by canonical name, else by header and values."""
    roles: dict[str, list[str]] = {}
    for role, names in given.items():
        if role not in ("email", "phone", "marketing_consent"):
            raise ConfigError(f"an audience asks for email, phone and marketing_consent, not for '{role}'")
        roles[role] = [names] if isinstance(names, str) else list(names)
        for name in roles[role]:
            if name not in table.column_names:
                raise SchemaError(f"contacts have no column '{name}'")
    detected = None
    for role in ("email", "phone", "marketing_consent"):
        if role in roles:
            continue
        if role in table.column_names:
            roles[role] = [role]
            continue
        if detected is None:
            detected = _detected(table)
        roles[role] = detected.get(role, [])
    if consent and not roles["marketing_consent"]:
        raise SchemaError(
            "contacts have no column that says marketing_consent, so nobody may be written to; "
            "name it marketing_consent, or say which one it is"
        )
    return roles


def _detected(table: pa.Table) -> dict[str, list[str]]:
    import json

    plain = [name for name in table.column_names if not pa.types.is_nested(table.schema.field(name).type)]
    texts = pa.table({name: _text(table[name].slice(0, 20_000)) for name in plain})
    found: dict[str, list[str]] = {}
    for column in json.loads(_core.detect_roles(texts.to_reader())):
        if column["role"]:
            found.setdefault(column["role"], []).append(column["column"])
    return found


def _consent(table: pa.Table, roles: Mapping[str, list[str]]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Who gave consent in some column and refused it in none, and who refused it; refusal wins."""
    given, refused = np.zeros(table.num_rows, bool), np.zeros(table.num_rows, bool)
    for name in roles["marketing_consent"]:
        said = _core.consents(_text(table[name]), name)
        given |= said.fill_null(False).to_numpy(zero_copy_only=False)
        refused |= ~said.fill_null(True).to_numpy(zero_copy_only=False)
    return given & ~refused, refused


def _points(column: Any, role: str, region: str | None) -> tuple[npt.NDArray[np.int64], Any]:
    """Rows and comparable keys of a column of addresses or numbers, or of lists of them."""
    array = _flat(column)
    parents: npt.NDArray[np.int64] | None = None
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        parents = pc.list_parent_indices(array).to_numpy().astype(np.int64)
        array = pc.list_flatten(array)
    places, keys = _core.contact_points(_text(array), role, region)
    rows = places.to_numpy().astype(np.int64)
    return (rows if parents is None else parents[rows]), keys


# --- suppression lists --------------------------------------------------------------------------------------------------------


@dataclass
class _Suppression:
    """The texts of a suppression list; how telephones are read depends on the contacts' region, so that comes last."""

    texts: Any
    ids: Any
    #: The columns' names, which are entries where a list has no header.
    names: Any
    entries: int
    unreadable: int = 0

    @classmethod
    def read(cls, source: Any, key: str) -> _Suppression:
        if isinstance(source, list | tuple | set):
            table = pa.table({"": pa.array([str(one) for one in source], pa.string())})
        else:
            if isinstance(source, str | os.PathLike) and not os.path.exists(source):
                raise ConfigError(f"{os.fspath(source)}: no such suppression list")
            table = ReadableTable.open(source, "the suppression list").table()
        ids, texts = [pa.array([], pa.string())], [pa.array([], pa.string())]
        for name in table.column_names:
            column = _flat(table[name])
            if pa.types.is_list(column.type):
                column = pc.list_flatten(column)
            column = pc.drop_null(_text(column))
            (ids if name in (key, "contact_id", "id") else texts).append(column)
        entries, names = table.num_rows, pa.array([name for name in table.column_names if name], pa.string())
        if table.num_columns == 1:
            ids += texts
        # A list without a header has its first entry there. A word such as "email" is nobody's address, number or id, so it harms nobody.
        return cls(pa.concat_arrays(texts), pa.concat_arrays(ids), names, entries)

    @classmethod
    def joined(cls, lists: Sequence[_Suppression]) -> _Suppression:
        return cls(
            pa.concat_arrays([one.texts for one in lists]),
            pa.concat_arrays([one.ids for one in lists]),
            pa.concat_arrays([one.names for one in lists]),
            sum(one.entries for one in lists),
        )

    def hits(self, table: pa.Table, key: str, roles: Mapping[str, list[str]], aliases: Mapping[str, str]) -> npt.NDArray[np.bool_]:
        """Which contacts are on the list."""
        known = _text(table[key])
        region = next(
            (found for name in roles["phone"] if (found := _core.phone_region(_flattened(table[name]).slice(0, 1_000))) is not None), None
        )
        texts, ids = pa.concat_arrays([self.texts, self.names]), pa.concat_arrays([self.ids, self.names])
        if aliases:
            followed = pa.array([aliases.get(one) for one in texts.to_pylist()], pa.string())
            texts = pc.coalesce(followed, texts)
            ids = pa.array([aliases.get(one, one) for one in ids.to_pylist()], pa.string())
        hit: npt.NDArray[np.bool_] = pc.is_in(known, ids).fill_null(False).to_numpy(zero_copy_only=False).copy()
        readable = pc.is_in(texts, known).fill_null(False).to_numpy(zero_copy_only=False).copy()
        for role in ("email", "phone"):
            rows, wanted = _points(texts, role, region)
            readable[rows] = True
            for name in roles[role]:
                rows, keys = _points(table[name], role, region)
                hit[rows[pc.is_in(keys, wanted).to_numpy(zero_copy_only=False)]] = True
        listed = len(self.texts)
        self.entries += int(readable[listed:].sum())
        self.unreadable = int((~readable[:listed]).sum())
        return hit


def _flat(column: Any) -> Any:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _flattened(column: Any) -> Any:
    array = _flat(column)
    return _text(pc.list_flatten(array) if pa.types.is_list(array.type) else array)


def _text(column: Any) -> Any:
    """A column as one array of texts."""
    array = _flat(column)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    return array if pa.types.is_string(array.type) else array.cast(pa.string())
