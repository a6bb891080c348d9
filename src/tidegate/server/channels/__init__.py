"""Data channels: what comes by WebSocket, beside the API. A session is opened by the API, and used here once."""
