"""HTTP/1.1: connections, requests, responses, routes and middleware. Knows nothing of RPCs."""
