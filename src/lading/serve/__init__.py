"""Joining the parts, and running them."""
