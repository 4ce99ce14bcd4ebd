"""Parquet files as anybody may send them: looked through, and written anew for pyarrow to read."""
