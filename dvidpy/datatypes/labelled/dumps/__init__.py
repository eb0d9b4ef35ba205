"""All of a version as text, to look through, to sort, or to load elsewhere."""
