"""Boxoffice as containers: the image, what runs inside it, and the files beside compose.yaml."""
