"""What every service needs and no domain has a word in: serving, refusing, asking, storing."""
