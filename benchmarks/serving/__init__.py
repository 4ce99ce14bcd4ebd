"""Lading beside its peers and its limits, in one run: see `scripts/bench --help`."""
