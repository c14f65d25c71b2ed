"""Small enough to be read, and named so that reading helps."""

import pathlib

import pytest

from shape import budgets

SOURCE = pathlib.Path(__file__).parents[2] / "src" / "sauma"


def test_nothing_is_too_big_to_be_read_at_once() -> None:
    assert budgets.too_big(SOURCE) == []


def test_nothing_bears_an_empty_name() -> None:
    assert budgets.empty_names(SOURCE) == []


def test_every_allowed_name_still_occurs_and_has_a_reason() -> None:
    assert budgets.unused_allowances(SOURCE) == []
    assert all(budgets.ALLOWED_NAMES.values())
    assert all(reason for _, reason in budgets.LARGER_PACKAGES.values())
    assert all(budgets.ALLOWED_TERMS.values())


SIX = "class A:\n  def f(self, a, b, c, *, d, e, f): ...\n"

# what is planted: (the check that must notice, file, text, part of what it says)
FAULTS = {
    "a function of 61 lines": ("too_big", "a.py", "def f():\n" + "    pass\n" * 60, "61 lines > 60"),
    "functions of 60 lines and no short ones": (
        "too_big",
        "a.py",
        "def f():\n" + "    pass\n" * 59,
        "of functions: 60",
    ),
    "a file of 401 lines": ("too_big", "a.py", "x = 1\n" * 401, "401 lines > 400"),
    "files of 400 lines and no short ones": ("too_big", "a.py", "x = 1\n" * 400, "of files: 400"),
    "a method of six parameters": ("too_big", "a.py", SIX, "6 parameters"),
    "parameters hidden in stars": ("too_big", "a.py", "def f(a, b, c, d, *e, **f): ...\n", "6 parameters"),
    "a module of an empty name": ("empty_names", "utils.py", "x = 1\n", "«util»"),
    "a class of an empty name": ("empty_names", "a.py", "class LedgerManager: ...\n", "«manager»"),
    "a function of an empty name": ("empty_names", "a.py", "def process_notice(): ...\n", "«process»"),
    "a parameter of an empty name": ("empty_names", "a.py", "def f(data): ...\n", "«data»"),
    "a variable of an empty name": ("empty_names", "a.py", "for item in x: ...\n", "«item»"),
    "a member of an empty name": ("empty_names", "a.py", "class A:\n  info: str\n", "«info»"),
    "an attribute of an empty name": ("empty_names", "a.py", "class A:\n  def f(self): self.data = 1\n", "«data»"),
    "an alias of an empty name": ("empty_names", "a.py", "import a as helpers\n", "«helper»"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_budget_goes_red_on(fault: str, tmp_path: pathlib.Path) -> None:
    check, name, text, expected = FAULTS[fault]
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert any(expected in line for line in getattr(budgets, check)(tmp_path))


FINE = {
    "five parameters and self": "class A:\n  def f(self, a, b, c, *, d, e): ...\n",
    "a word inside a longer variable": "item_count = 3\nuser_agent = 4\n",
    "the framework's own keyword": "App(exception_handlers=x, data=y)\n",
    "a method of the library": "for k, v in x.items(): ...\n",
    "a library's own member": "root.handlers = []\n",
    "a term of a standard": "class WrappedDataKey: ...\n",
    "a word that only starts alike": "class Informed: ...\ndef database(): ...\n",
}


@pytest.mark.parametrize("name", FINE)
def test_the_budget_leaves_alone(name: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.py").write_text(FINE[name], encoding="utf-8")
    assert budgets.too_big(tmp_path) + budgets.empty_names(tmp_path) == []


def test_sixteen_files_in_a_package_are_too_many(tmp_path: pathlib.Path) -> None:
    for number in range(16):
        (tmp_path / f"a{number}.py").write_text("", encoding="utf-8")
    assert budgets.too_big(tmp_path) == ["./: 16 Python files > 15"]
