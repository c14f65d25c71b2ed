"""What an outside system would install: the access part of a client; it knows nothing of the server."""
