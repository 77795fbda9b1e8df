"""The Python client of Scopegate."""
