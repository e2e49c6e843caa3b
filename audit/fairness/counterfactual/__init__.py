"""The same rows, or texts, with another level of the attribute."""
