"""Columns that a store has: they are looked up by the keys that requests bring."""
