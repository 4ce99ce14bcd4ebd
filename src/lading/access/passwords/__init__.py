"""Users with passwords: hashed by argon2id, asked by HTTP Basic."""
