"""Payments: the port to payment providers, its adapters, and what follows from their answers.

`inventory` decides what a payment does to its booking. No provider is called in a transaction.
"""
