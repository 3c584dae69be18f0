"""The engine, on asyncio: it keeps a client connected and signed in, and its calls answered."""
