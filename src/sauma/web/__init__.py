"""The HTTP edge: the input gate, the routes, the one error mapping and the log lines."""
