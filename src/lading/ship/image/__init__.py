"""A container image: what it is built from, and building it."""
