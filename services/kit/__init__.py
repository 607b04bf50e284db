"""What all services share: process, server, authentication, database, gRPC. No word of a domain."""
