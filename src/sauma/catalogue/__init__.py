"""The law as data: one TOML per purpose, closed code lists, areas and municipalities, and their strict loader."""
