"""What may not stand in the source, and exemptions that must give their reason."""

import pathlib

import pytest

from shape import prose

ROOT = pathlib.Path(__file__).parents[2]
SOURCE = ROOT / "src" / "sauma"


def test_no_text_names_a_registry_host_or_the_workplace() -> None:
    assert prose.foreign_words(ROOT) == []


def test_core_and_exchange_hold_no_type_ignore_and_the_rest_at_most_five() -> None:
    assert prose.ignores(SOURCE / "core") + prose.ignores(SOURCE / "exchange") == []
    assert len(prose.ignores(SOURCE)) <= 5, prose.ignores(SOURCE)


@pytest.mark.parametrize("folder", ["src", "tests", "verify"])
def test_every_exemption_in_the_code_names_its_rule_and_its_reason(folder: str) -> None:
    assert prose.unreasoned(ROOT / folder) == []


def test_every_exemption_in_the_settings_gives_its_reason() -> None:
    assert prose.unreasoned_settings((ROOT / "pyproject.toml").read_text(encoding="utf-8")) == []


def test_patterns_match_ascii_digits_only() -> None:
    assert prose.unicode_digits(SOURCE) == []


def test_the_ten_habits_are_ten_and_every_place_the_style_page_names_exists() -> None:
    page = (ROOT / "docs" / "style.md").read_text(encoding="utf-8")
    habits = [line for line in page.splitlines() if line[:2].strip(".").isdigit() or line.startswith("10.")]
    places = {cell.strip() for line in page.splitlines() if line.startswith("| ") for cell in line.split("|")[-2:-1]}
    places -= {"where", "---"}
    assert len(habits) == 10
    assert len(places) >= 6
    assert [place for place in sorted(places) if not (ROOT / place).exists()] == []


def test_decision_records_are_numbered_without_gaps_and_short() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(r.name[:4]) for r in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 40, record.name
        assert text.startswith(f"# {record.name[:4]} "), record.name
        assert all(f"## {part}" in text for part in ("Context", "Decision", "Consequence")), record.name


def test_the_dependency_table_has_a_row_for_every_runtime_dependency() -> None:
    import tomllib  # noqa: PLC0415  # used here only

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table = (ROOT / "docs" / "adr" / "0002-dependencies.md").read_text(encoding="utf-8")
    groups = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = [requirement.split(">")[0].split("[")[0] for requirement in groups]
    assert [name for name in names if name not in table] == []


FAULTS = {
    "an exemption without a reason": ("unreasoned", "x = 1  # noqa: E501\n"),
    "an exemption without a rule": ("unreasoned", "x = 1  # noqa  # because it had to be\n"),
    "a type ignore without a reason": ("unreasoned", "x = 1  # type: ignore[misc]\n"),
    "a type ignore without a code": ("unreasoned", "x = 1  # type: ignore  # because it had to be\n"),
    "any type ignore": ("ignores", "x = 1  # type: ignore[misc]  # upstream has no types\n"),
    "digits of every script": ("unicode_digits", 'PATTERN = r"[+-]\\d{3}"\n'),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_goes_red_on(fault: str, tmp_path: pathlib.Path) -> None:
    check, text = FAULTS[fault]
    (tmp_path / "a.py").write_text(text, encoding="utf-8")
    assert len(getattr(prose, check)(tmp_path)) == 1


def test_a_reasoned_exemption_is_accepted(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.py").write_text("x = 1  # noqa: E501, S101  # the law's own long title\n", encoding="utf-8")
    assert prose.unreasoned(tmp_path) == []


def test_an_unreasoned_setting_is_found() -> None:
    text = (
        '[tool.ruff.lint]\nignore = [\n  "D105",\n  "D107",  # the class says it\n]\n[tool.ruff.x]\n"a.py" = ["T201"]\n'
    )
    assert len(prose.unreasoned_settings(text)) == 2
