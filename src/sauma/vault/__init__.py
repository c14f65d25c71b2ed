"""Field sealing, key ring, blind index, tags and receipts: the only place where client data are en- or decrypted."""
