"""The Python client for Circles."""
