"""The operations over HTTP, one file a group."""
