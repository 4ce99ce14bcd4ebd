"""nginx in front: its configuration, read off the settings of what is behind it."""
