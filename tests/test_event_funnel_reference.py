"""Event funnels against ClickHouse's ``windowFunnel`` itself, where the meaning is the reference's.

chdb is no dependency of the project: without it these tests are skipped, and say so (``pip install chdb``).
"""

import numpy as np
import pyarrow as pa
import pytest
from conftest import LONG

import crm_engine as crm

chdb = pytest.importorskip("chdb", reason="agreement with ClickHouse needs chdb: pip install chdb")

N_CONTACTS = 50_000 if LONG else 3_000
STEPS = "ABCD"


def histories(seed, overlapping):
    """Random rows of many contacts: ties, repeats, rows that fit nothing, and rows that fit two conditions where asked for."""
    draw = np.random.default_rng(seed)
    n_rows = draw.integers(1, 9, N_CONTACTS)
    contact = np.repeat(np.arange(N_CONTACTS), n_rows)
    kinds = np.array(["A", "A", "B", "B", "C", "D", "X", "AB", "BC", "AC", "BD"][: None if overlapping else 7])
    return pa.table(
        {
            "contact_id": contact,
            "time": pa.array(draw.integers(0, 12, len(contact)), pa.timestamp("s")),
            "letters": kinds[draw.integers(0, len(kinds), len(contact))],
        }
    )


def reference(table, n_steps, window, modes):
    """Each contact's level as ClickHouse has it."""
    more = "".join(f", '{mode}'" for mode in modes)
    conditions = ", ".join(f"position(letters, '{step}') > 0" for step in STEPS[:n_steps])
    rows = pa.table({"c": table["contact_id"], "t": table["time"].cast(pa.int64()).cast(pa.uint32()), "letters": table["letters"]})
    assert rows.num_rows  # chdb finds it by its name
    query = f"SELECT c, windowFunnel({window}{more})(t, {conditions}) AS level FROM Python(rows) GROUP BY c ORDER BY c"
    found = chdb.query(query, "ArrowTable")
    return found["level"].to_numpy()


def ours(table, n_steps, window, modes):
    steps = [{"name": step, "where": f"letters like '%{step}%'"} for step in STEPS[:n_steps]]
    return crm.event_funnel(table, {"steps": steps, "window": window, "mode": modes}).levels["level"].to_numpy()


@pytest.mark.parametrize("overlapping", [False, True], ids=["one condition a row", "overlapping conditions"])
@pytest.mark.parametrize(
    "modes", [[], ["strict_deduplication"], ["strict_order"], ["strict_once"]], ids=lambda modes: modes[0] if modes else "default"
)
def test_levels_are_those_of_the_reference(modes, overlapping):
    for seed, (n_steps, window) in enumerate([(4, 5), (3, 0), (2, 12), (4, 12)]):
        table = histories(seed, overlapping)
        expected, found = reference(table, n_steps, window, modes), ours(table, n_steps, window, modes)
        different = np.flatnonzero(expected != found)
        first = table.filter(pa.compute.equal(table["contact_id"], int(different[0]))).to_pylist() if len(different) else []
        assert not len(different), (len(different), n_steps, window, expected[different[:1]], found[different[:1]], first)


def test_where_the_reference_keeps_the_newest_chain_only_ours_is_never_lower():
    for seed, (n_steps, window) in enumerate([(4, 5), (3, 12)]):
        table = histories(seed, False)
        expected, found = reference(table, n_steps, window, ["strict_increase"]), ours(table, n_steps, window, ["strict_increase"])
        assert (found >= expected).all()
        assert (found > expected).any()
