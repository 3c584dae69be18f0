"""Make a folder that a static HTTP server can serve: Pyodide, circle-ws and all it needs, locked.

Start it with any Python from 3.11, in which nothing needs to be installed: `python3 tools/bundle.py --out DIR`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tools  # noqa: F401 so that the package can be imported
from circle_ws.bundle.builder import main

if __name__ == "__main__":
    sys.exit(main())
