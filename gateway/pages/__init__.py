"""Pages for buyers and organizers: plain files that browsers get as they are, without a build."""
