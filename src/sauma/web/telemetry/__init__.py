"""What an operator can count and follow: metrics, traces, and what both are made of."""
