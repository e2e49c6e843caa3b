"""Groups with few rows: what they could show, rates drawn together, and where it is worst."""
