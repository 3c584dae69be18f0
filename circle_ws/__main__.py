"""`python -m circle_ws` is `circle-ws`."""

from .cli import main

if __name__ == "__main__":
    main()
