"""Folders for pages: Pyodide, circle-ws and what it needs, locked; made from a checkout or an installed package.

It loads nothing that circle-ws itself needs, so that it also runs where that is not installed.
"""
