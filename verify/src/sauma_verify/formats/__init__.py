"""What is read, each by its own specification: notes, tiles, proofs, policies, receipts, revealed contents."""
