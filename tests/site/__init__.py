"""The built documentation site, in a browser: `nox -s docs`."""
