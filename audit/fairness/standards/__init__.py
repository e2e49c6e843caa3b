"""Rules and their tables: Local Law 144, the four-fifths rule."""
