"""Writes the e-mails of the outbox and sends them by SMTP."""
