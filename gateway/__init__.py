"""The REST face of Boxoffice: HTTP in front of the gRPC services, compiled from their contract."""
