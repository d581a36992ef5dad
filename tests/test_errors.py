"""The exception tree, and what the boundary makes of Rust's failures."""

import inspect

import pytest

import crm_engine as crm
from crm_engine import _core, errors


def test_every_error_is_public_and_a_crm_error() -> None:
    classes = {name: value for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__}
    assert set(classes) <= set(crm.__all__)
    warnings = [value for value in classes.values() if not issubclass(value, crm.CrmError)]
    assert warnings == [crm.UnreadRowsWarning, crm.UnreadAmountsWarning, crm.AmbiguousDatesWarning]
    assert all(issubclass(value, UserWarning) for value in warnings)
    assert issubclass(crm.ConfigError, ValueError)


def test_a_panic_becomes_an_internal_error() -> None:
    with pytest.raises(crm.InternalError, match="asked to"):
        _core._panic_for_test()


@pytest.mark.parametrize(("text", "size"), [("2.5GiB", 2_684_354_560), ("800 MB", 800_000_000), ("4096", 4096)])
def test_byte_sizes(text: str, size: int) -> None:
    assert _core.parse_byte_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "1e3GB", "0"])
def test_a_wrong_byte_size_says_how_to_write_one(text: str) -> None:
    with pytest.raises(crm.ConfigError, match="2.5GiB"):
        _core.parse_byte_size(text)
