"""What a model needs of the notebook or script that saved it, found in its text; nothing of it is run."""
