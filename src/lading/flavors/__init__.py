"""The frameworks: one small module each, behind one protocol, entered by entry points as anybody's own may be."""
