"""A model that answers: loaded, checked, batched, packed."""
