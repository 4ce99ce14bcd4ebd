"""API keys: made, kept as hashes, and recognized."""
