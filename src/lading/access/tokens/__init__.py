"""Tokens that end soon, given for a key (RFC 6749)."""
