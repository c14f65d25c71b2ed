"""Names that name nobody: keyed indexes, tags, pairwise ids, handling units and seeds."""
