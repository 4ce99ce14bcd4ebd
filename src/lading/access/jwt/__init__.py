"""Tokens of another issuer, verified by the keys that it publishes."""
