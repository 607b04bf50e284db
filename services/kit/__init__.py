"""Code that all services share: process, server, authentication, database, gRPC. No domain."""
