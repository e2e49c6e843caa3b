"""The doctor: what in a model makes which method wrong, found before any attribution."""
