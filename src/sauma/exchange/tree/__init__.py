"""The ledger's tree: entries get their places, heads are signed, the whole is checked."""
