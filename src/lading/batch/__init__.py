"""Files scored with a model: read in chunks, checked as requests are, answered by all cores, and resumed."""
