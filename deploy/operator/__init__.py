"""The operator's command line: `boxoffice --help`."""
