"""Docker Compose: several containers on one machine, nginx in front, and what watches them."""
