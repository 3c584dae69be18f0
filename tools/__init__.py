"""Scripts around the package: find interpreters and browsers, make the browser bundle."""
