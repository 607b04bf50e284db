"""The contract of Boxoffice as Python: generated messages and stubs, and a thin client."""
