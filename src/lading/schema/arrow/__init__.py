"""Columns as Arrow has them: streams, tables, and what is looked at before pyarrow reads anybody's bytes."""
