"""Users: the rows of accounts, and e-mail addresses. No credentials, no rules of what people do."""
