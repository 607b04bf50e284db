"""Writing letters and sending them by SMTP."""
