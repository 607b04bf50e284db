"""The contract, read from the descriptors of the services: endpoints, fields, comments."""
