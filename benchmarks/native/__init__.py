"""How fast and how small the native client is, side by side with others; `python -m benchmarks.native`."""
