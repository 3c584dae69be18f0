"""The engine: what keeps a client connected, signed in and its calls answered; asyncio lives here."""
