"""The mailbox of `make run`: an SMTP server on this machine, and a page that shows the letters."""
