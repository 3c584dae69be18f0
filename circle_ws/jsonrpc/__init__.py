"""JSON-RPC 2.0 without I/O, for client and server: codec, messages, pending requests, methods, replies."""
