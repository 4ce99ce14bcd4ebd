"""Fuzz targets: each a module with `fuzz_one`, which takes any bytes and raises for a defect alone, and `seeds`."""
