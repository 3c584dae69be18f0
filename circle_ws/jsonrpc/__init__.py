"""JSON-RPC 2.0 without I/O: codec, envelopes, pending calls, subscriptions."""
