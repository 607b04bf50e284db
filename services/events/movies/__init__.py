"""Movies, and how they are found by their words."""
