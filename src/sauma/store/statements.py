"""The SQL, one file per aggregate, each statement under its `-- name:` line; none is built at run time."""

import importlib.resources


def load(aggregate: str) -> dict[str, str]:
    """The statements of `sql/<aggregate>.sql` by name."""
    text = importlib.resources.files(__package__).joinpath("sql", f"{aggregate}.sql").read_text(encoding="utf-8")
    blocks = (block.partition("\n") for block in text.split("-- name: ")[1:])
    return {name.strip(): statement.strip() for name, _, statement in blocks}


def aggregates() -> tuple[str, ...]:
    """The names of all SQL files."""
    folder = importlib.resources.files(__package__).joinpath("sql")
    return tuple(sorted(f.name.removesuffix(".sql") for f in folder.iterdir() if f.name.endswith(".sql")))
