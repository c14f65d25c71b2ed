"""Tokens in (resource server) and tokens out (authorization server); FAPI 2.0 shape, DPoP on every call."""
