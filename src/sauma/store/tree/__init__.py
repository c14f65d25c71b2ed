"""The tree over the ledger in PostgreSQL: what the sequencer's role may do."""
