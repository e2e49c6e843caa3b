"""Which features carry the difference in mean output between two groups, and which stand in for the attribute."""
