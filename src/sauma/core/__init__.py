"""Pure core: the law, the decision and the evidence. No I/O, no clock, no randomness, no framework."""
