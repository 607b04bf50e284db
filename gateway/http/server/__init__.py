"""The HTTP server: sockets, connections, and the bytes of requests and responses on them."""
