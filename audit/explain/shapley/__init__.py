"""Shapley values: exact by enumeration, sampled with standard errors, and LIME, which asks the same coalitions."""
