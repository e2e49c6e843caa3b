"""What a model decides on, by attribution."""
