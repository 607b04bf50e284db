"""E-mails that are due, stored until they are sent, and the notices that cause some of them."""
