"""What mitigation would buy, and at what price."""
