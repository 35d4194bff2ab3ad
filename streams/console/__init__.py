"""The console page and the routes that serve it; the page itself only reads the HTTP API."""
