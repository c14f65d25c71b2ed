"""What the authorization server asks of a request, one module for each matter; `oauth.server` puts them in order."""
