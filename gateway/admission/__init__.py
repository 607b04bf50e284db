"""Which requests are let in: credentials and quotas."""
