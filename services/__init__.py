"""The gRPC services of Boxoffice: one folder each, and `kit`, the only code that they share."""
