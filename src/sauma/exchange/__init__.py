"""Use cases on ports: each verb of the exchange, knowing no driver."""
