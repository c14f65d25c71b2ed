"""The ledger's Merkle tree (RFC 6962) in tiles 256 hashes wide, and the signed notes that name its heads (C2SP)."""
