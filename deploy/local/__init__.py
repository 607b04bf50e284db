"""The development run: everything on one machine, started by one command."""
