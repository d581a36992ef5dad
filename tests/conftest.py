"""What all tests share: the folder of public data and corpora beside the checkout, and the switch for full counts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from base_samples import Template

#: Full counts (`make test-long`) instead of moderate ones.
LONG = os.environ.get("CRM_LONG") == "1"


def find_shared() -> Path | None:
    """The folder `shared`: where `CRM_SHARED` says, or beside the checkout or one of its parents."""
    named = os.environ.get("CRM_SHARED")
    if named:
        return Path(named)
    parents = list(Path(__file__).resolve().parents)[1:4]
    return next((folder.parent / "shared" for folder in parents if (folder.parent / "shared" / "DESIGN.md").exists()), None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of labelled data and corpora; tests that need it are skipped, loudly, where it is not."""
    folder = find_shared()
    if folder is None:
        pytest.skip("needs the folder `shared` beside the checkout, or CRM_SHARED")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _small_duckdb() -> Iterator[None]:
    """Opens bases cheaply. DuckDB hashes its two extensions, 71 MB, whenever a base is opened, and to hand a small query to its threads
    takes as long as the query: two thirds of what the tests of bases took.

    Commands that tests run in processes of their own are as users have them: signatures checked, all threads. With full counts queries have
    all threads here too.
    """
    try:
        import duckdb
    except ImportError:
        yield
        return
    connect = duckdb.connect
    small = {"allow_unsigned_extensions": "true"} if LONG else {"allow_unsigned_extensions": "true", "threads": "1"}

    def connect_small(database: str = ":memory:", *args: Any, config: dict[str, Any] | None = None, **options: Any) -> Any:
        return connect(database, *args, config={**(config or {}), **small}, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb, "connect", connect_small)
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """An empty base with a model, of which each test takes a copy."""
    from base_samples import Template

    return Template(tmp_path_factory.mktemp("bases"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what is marked `long` unless full counts are asked for."""
    if not LONG:
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="full counts: run with CRM_LONG=1 (make test-long)"))
