"""Gaps held against other attributes, and taken apart into what makes them."""
