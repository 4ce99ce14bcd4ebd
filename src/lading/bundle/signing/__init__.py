"""Signatures in the form of OpenSSF Model Signing, and whose of them are trusted. Only `cryptography` is needed."""
