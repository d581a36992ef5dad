"""The kernel's counts as tables."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.funnels.deal_columns import Breakdowns, DealColumns
from crm_engine.funnels.step_tables import number_or_null, share


class PipelineTables:
    """Puts what the kernel found into tables."""

    def __init__(
        self,
        found: dict[str, Any],
        stages: list[str],
        lost: str,
        columns: DealColumns,
        breakdowns: Breakdowns,
        per_second: float,
        count: str,
    ) -> None:
        self.found, self.names, self.lost, self.columns, self.breakdowns, self.count = found, stages, lost, columns, breakdowns, count
        self.n = len(stages)
        self.per_day = per_second * 86_400
        #: Deals by furthest stage and where they are now.
        self.standing = found["standing"].reshape(self.n + 1, self.n + 2)
        self.by_currency = found["by_currency"].reshape(-1, self.n + 2)

    def _rows(self, number: int, of_row: np.ndarray) -> dict[str, pa.Array]:
        return self.breakdowns.columns(self.breakdowns.plan[number][1], self.found["breakdowns"][number]["groups"], of_row)

    def _stage_rows(self, number: int) -> dict[str, pa.Array]:
        n_groups = self.found["breakdowns"][number]["n_groups"]
        stage = pa.array(self.names, pa.string()).take(pa.array(np.tile(np.arange(self.n), n_groups)))
        return {**self._rows(number, np.repeat(np.arange(n_groups), self.n)), "stage": stage}

    def stages(self, number: int) -> pa.Table:
        """The funnel of a breakdown."""
        counts = self.found["breakdowns"][number]
        reached = counts[self.count].reshape(-1, self.n)
        previous = np.concatenate([reached[:, :1], reached[:, :-1]], axis=1)
        start = np.repeat(reached[:, :1], self.n, axis=1)
        return pa.table(
            {
                **self._stage_rows(number),
                "reached": reached.reshape(-1),
                "current": counts["current"],
                "lost": counts["lost"],
                "conversion_from_previous": share(reached, previous),
                "conversion_from_start": share(reached, start),
                "median_days": number_or_null(counts["median"] / self.per_day),
                "p90_days": number_or_null(counts["p90"] / self.per_day),
            }
        )

    def details(self) -> pa.Table:
        """What the main breakdown shows besides."""
        counts = self.found["breakdowns"][0]
        visits = counts["visits"].astype(np.int64)
        mean = np.divide(counts["sum"], visits, out=np.full(len(visits), np.nan), where=visits > 0) / self.per_day
        moved_back = self.found["moved_back"].astype(np.int64)
        return pa.table(
            {
                **self._stage_rows(0), "entered": counts["entered"], "skipped": counts["skipped"], "moved_back": moved_back, "visits": visits,
                "mean_days": number_or_null(mean),
            }
        )  # fmt: skip

    def decimal(self, values: pa.Array) -> pa.Array:
        """Whole numbers of the smallest unit as decimals, without going through floating point numbers."""
        return pa.Array.from_buffers(pa.decimal128(38, self.columns.scale), len(values), values.buffers(), offset=values.offset)

    def amounts(self) -> pa.Table:
        """Amounts of the main breakdown by stage and currency."""
        n_currencies, n_groups = len(self.columns.currencies), self.found["breakdowns"][0]["n_groups"]
        columns = {name: self.decimal(self.found[name]) for name in (f"{self.count}_amount", "current_amount", "lost_amount")}
        used = np.zeros(n_groups * self.n * n_currencies, bool)
        for values in columns.values():
            used |= pc.not_equal(values, Decimal(0)).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(used)
        place = pa.array(rows)
        return pa.table(
            {
                **self._rows(0, rows // (self.n * n_currencies)),
                "stage": pa.array(self.names, pa.string()).take(pa.array(rows // n_currencies % self.n)),
                "currency": pa.array(self.columns.currencies, pa.string()).take(pa.array(rows % n_currencies)),
                **{name: values.take(place) for name, values in columns.items()},
            }
        )

    def losses(self) -> pa.Table:
        """Losses of the main breakdown by stage, reason and currency."""
        losses = self.found["losses"]
        return pa.table(
            {
                **self._rows(0, losses["group"]),
                "stage": pa.array([None, *self.names], pa.string()).take(pa.array(losses["stage"])),
                "reason": pa.array(self.columns.reasons, pa.string()).take(pa.array(losses["reason"])),
                "currency": pa.array(self.columns.currencies, pa.string()).take(pa.array(losses["currency"])),
                "deals": losses["deals"],
                "amount": self.decimal(losses["amount"]),
            }
        )

    def moves(self) -> pa.Table:
        """How often deals went from a stage to another."""
        moves = self.found["moves"].reshape(self.n + 2, self.n + 2)
        names = [None, *self.names, self.lost]
        rows = []
        for start, end in zip(*np.nonzero(moves), strict=True):
            if start == 0:
                kind = "first"
            elif end == self.n + 1:
                kind = "lost"
            elif start == self.n + 1:
                kind = "reopened"
            else:
                kind = "back" if end < start else "forward" if end == start + 1 else "skip"
            rows.append({"from_stage": names[start], "to_stage": names[end], "kind": kind, "moves": int(moves[start, end])})
        return pa.Table.from_pylist(
            rows, pa.schema([("from_stage", pa.string()), ("to_stage", pa.string()), ("kind", pa.string()), ("moves", pa.int64())])
        )

    def deals(self, ids: pa.ChunkedArray, time_type: pa.DataType) -> pa.Table:
        """Where each deal stands."""
        deals = self.found["deals"].columns()
        names = pa.array([None, *self.names, self.lost], pa.string())
        history = deals["has_history"].astype(bool)
        status = np.where(deals["current"] == self.n + 1, 3, np.where(deals["current"] == self.n, 2, np.where(deals["current"] == 0, 0, 1)))
        return pa.table(
            {
                "deal": ids,
                "status": pa.DictionaryArray.from_arrays(pa.array(status.astype(np.int8)), pa.array(["unknown", "open", "won", "lost"])),
                "stage": pa.DictionaryArray.from_arrays(pa.array(deals["current"].astype(np.int8)), names),
                "furthest": pa.DictionaryArray.from_arrays(pa.array(deals["furthest"].astype(np.int8)), names),
                "lost_at": pa.DictionaryArray.from_arrays(pa.array(deals["lost_at"].astype(np.int8)), names),
                "has_history": history,
                "first_time": pa.array(deals["first_time"], mask=~history).cast(time_type),
                "last_time": pa.array(deals["last_time"], mask=~history).cast(time_type),
            }
        )

    def won_shares(self) -> list[Fraction | None]:
        """Of the decided deals that reached each stage, the share that was won. A lost deal that does not say from which stage counts at each: it
        may have reached it, and leaving it out would promise that nothing is ever lost."""
        shares = []
        lost_somewhere = int(self.standing[0, self.n + 1])
        for stage in range(1, self.n + 1):
            won, lost = (int(self.standing[stage:, place].sum()) for place in (self.n, self.n + 1))
            lost += lost_somewhere
            shares.append(Fraction(won, won + lost) if won + lost else None)
        return shares

    def summary(self, with_history: bool) -> dict[str, Any]:
        """The few numbers to know, and what to beware of."""
        stands = self.standing.sum(axis=0)
        n_deals, won, lost, open_deals = int(stands.sum()), int(stands[self.n]), int(stands[self.n + 1]), int(stands[1 : self.n].sum())
        cycles = [self.found[name] for name in ("median_cycle_days", "mean_cycle_days")]
        median_cycle, mean_cycle = (None if np.isnan(days) else float(days) for days in cycles)
        win_rate = won / (won + lost) if won + lost else None
        without, unknown = self.found["without_history"], self.found["lost_from_unknown"]
        return {
            "deals": n_deals,
            "won": won,
            "lost": lost,
            "open": open_deals,
            "unknown": int(stands[0]),
            "win_rate": win_rate,
            "median_cycle_days": median_cycle,
            "mean_cycle_days": mean_cycle,
            "velocity_per_day": self._velocity(median_cycle, win_rate),
            "deals_without_history": without,
            "stage_rows_without_deal": self.found["orphan_rows"],
            "stage_disagrees": self.found["disagreeing"],
            "lost_from_unknown": unknown,
            "warnings": self._warnings(n_deals, with_history),
        }

    def _warnings(self, n_deals: int, with_history: bool) -> list[str]:
        without, orphans, disagreeing, unknown = (
            self.found[name] for name in ("without_history", "orphan_rows", "disagreeing", "lost_from_unknown")
        )
        warnings = []
        if without and n_deals:
            if with_history:
                what = f"{_deals(without, 'has', 'have')} no stage history (of {n_deals:,}): only their current stage is known"
            else:
                what = "there is no stage history: only the current stage of the deals is known"
            warnings.append(f"{what}, so skips, moves and times in stage leave them out")
        if orphans:
            rows = "1 stage row belongs" if orphans == 1 else f"{orphans:,} stage rows belong"
            warnings.append(f"{rows} to no deal of the table and {'was' if orphans == 1 else 'were'} left out")
        if disagreeing:
            names = _deals(disagreeing, "names", "name")
            warnings.append(f"{names} another stage than the last of their history; the history counts")
        if unknown:
            told, count = ("1 lost deal does", "it counts") if unknown == 1 else (f"{unknown:,} lost deals do", "they count")
            warnings.append(f"{told} not say from which stage; {count} as lost, and for no stage")
        return warnings

    def _velocity(self, median_cycle: float | None, win_rate: float | None) -> dict[str, str]:
        """What the pipeline brings a day by currency: open deals x win rate x mean won amount / days of a cycle."""
        if not median_cycle or win_rate is None:
            return {}
        found = {}
        amounts = self.decimal(self.found["total_current_amount"]).to_pylist()[(self.n - 1) * len(self.columns.currencies) :]
        for currency, stands, amount in zip(self.columns.currencies, self.by_currency, amounts, strict=False):
            won, open_deals = int(stands[self.n]), int(stands[1 : self.n].sum())
            if won:
                per_day = Fraction(amount) / won * open_deals * Fraction(win_rate) / Fraction(median_cycle)
                found[currency or ""] = str(Decimal(round(per_day * 100)).scaleb(-2))
        return found


def _deals(n: int, verb: str, verbs: str) -> str:
    return f"1 deal {verb}" if n == 1 else f"{n:,} deals {verbs}"
