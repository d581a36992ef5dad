"""The config: every mistake has its line and the nearest name, nothing runs, and the schema agrees with the checks."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import crm_engine as crm
from crm_engine import _core
from crm_engine.config import CONFIG, RESOLVE_KEYS, ColumnMapping, json_schema, load_config, load_mapping, reference

MISTAKES = [
    ("match_treshold: 0.9", "line 1: unknown key 'match_treshold'; did you mean 'match_threshold'?"),
    ("seed: 1\nmatch_threshold: high", "line 2: match_threshold is 'high', and must be a number"),
    ("match_threshold: 1.5", "line 1: match_threshold is 1.5, and must lie between 0.5 and 1"),
    ("seed: 1.5", "line 1: seed is '1.5', and must be a whole number"),
    ("survivorship:\n  fields:\n    email: most_recnt", "line 3: survivorship.fields.email is 'most_recnt'"),
    ("survivorship:\n  defalt: min", "line 2: unknown key 'defalt'; did you mean 'default'?"),
    ("memory_limit: lots", "line 1: memory_limit"),
    ("mapping:\n  columns:\n    Mail: emial", "did you mean 'email'?"),
    ("seed: 1\nseed: 2", "line 2: the key 'seed' is there already, in line 1"),
    ("- 1", "line 1: the document is a list"),
    ("a: [", "line 1: is no valid YAML"),
    ("seed: !!python/object/apply:os.system [ls]", "line 1"),
    ("ignore: {a: 1}", "line 1: ignore is a mapping, and must be a list"),
    ("review_threshold: 0.95", "must be at most match_threshold"),
    ("ignore: " + "[" * 60 + "]" * 60, "levels"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[text[:30] for text, _ in MISTAKES])
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(crm.ConfigError) as caught:
        load_config(path)
    assert message in str(caught.value)


def test_aliases_cannot_blow_up(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(crm.ConfigError, match="unfolds to more|unknown key"):
        load_config(path)


def test_words_that_yaml_takes_for_something_else_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("phone_region: NO\nmapping:\n  columns:\n    no: custom\n    1: phone\n", encoding="utf-8")
    settings = load_config(path)
    assert settings.resolve == {"phone_region": "NO"}
    assert settings.mapping.columns == {"no": "custom", "1": "phone"}


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("match_threshold: 0.8\nmemory_limit: 1GiB\n", encoding="utf-8")
    settings = load_config(path, match_threshold=0.95, memory_limit=2**31)
    assert settings.resolve["match_threshold"] == 0.95
    assert settings.memory_limit == 2**31


FULL = {
    "match_threshold": 0.95,
    "review_threshold": 0.2,
    "ignore": ["note"],
    "unique_sources": ["*"],
    "pairs_per_record": 8,
    "min_pairs": 1000,
    "phone_region": "LV",
    "date_order": "dmy",
    "seed": 7,
    "weights": {"email": {"exact": 9.5}},
    "survivorship": {"default": "most_complete", "fields": {"phone": "union"}, "source_priority": ["crm", "shop"]},
    "max_cluster_share": 0.2,
    "memory_limit": "2GiB",
    "tmp_dir": "/var/tmp",
    "source_name": "crm",
    "mapping": {"columns": {"Mail": "email", "Old": None, "Row": "ignore"}, "encoding": "cp1251", "header_row": 3, "quote": ""},
}


def test_the_schema_agrees_with_the_checks() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(FULL) == set(CONFIG.keys)
    jsonschema.validate(FULL, schema)
    load_config(FULL)
    for wrong in ({"x": 1}, {"match_threshold": 2}, {"date_order": "ydm"}, {"mapping": {"columns": {"a": "emial"}}}, {"ignore": {"a": 1}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
        with pytest.raises(crm.ConfigError):
            load_config(wrong)


def test_the_kernel_knows_the_same_keys() -> None:
    settings = load_config({name: FULL[name] for name in RESOLVE_KEYS if name != "weights"})
    known = {"tmp_dir": "", "resolve": settings.resolve, "survivorship": FULL["survivorship"]}
    _core.DedupeRun(json.dumps(known), [], None)
    for unknown in ({**known, "nonsense": 1}, {**known, "resolve": {**settings.resolve, "nonsense": 1}}):
        with pytest.raises(crm.ConfigError, match="nonsense"):
            _core.DedupeRun(json.dumps(unknown), [], None)


def test_the_documentation_has_every_key() -> None:
    page = (Path(__file__).parent.parent / "docs" / "config.md").read_text(encoding="utf-8")
    assert reference() in page, "run: python -m crm_engine.config > table, and put it into docs/config.md"


def test_a_mapping_of_one_role_moves_it() -> None:
    mapping = ColumnMapping(columns={"Born": "birth_date", "Row": "ignore"})
    found = [("DOB", "birth_date"), ("Born", None), ("Row", None), ("Tel", "phone")]
    assert mapping.apply(found) == [("DOB", None), ("Born", "birth_date"), ("Row", None), ("Tel", "phone")]
    assert mapping.ignored == ["Row"]
    assert ColumnMapping(columns={"Tel 2": "phone"}).apply([("Tel", "phone"), ("Tel 2", None)]) == [("Tel", "phone"), ("Tel 2", "phone")]


def test_an_unknown_column_names_the_nearest() -> None:
    with pytest.raises(crm.ConfigError, match="no column 'Surnme'; did you mean 'Surname'\\?"):
        load_mapping({"Surnme": "family_name"}).check_columns(["Surname", "Name"])
