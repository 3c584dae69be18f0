"""Long and large runs with real processes, and the pictures of them; `python -m benchmarks.NAME --help` says how."""
