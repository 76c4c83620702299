"""A run: from networks and targets to an archive, and what is done with it afterwards."""
