"""The way from each version's tables to the next; a new one is a new file in `versions/`."""
