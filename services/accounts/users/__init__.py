"""Accounts themselves: their rows, profiles and addresses, and what the operator does to them."""
