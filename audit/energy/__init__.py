"""Energy and carbon of what runs, each figure with its origin."""
