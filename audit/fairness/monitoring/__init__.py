"""Groups over time, and a test that may be read after every window."""
