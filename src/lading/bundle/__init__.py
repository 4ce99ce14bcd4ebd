"""What travels: the manifest, the archive that holds it, and what a pickle asks for before it is opened."""
