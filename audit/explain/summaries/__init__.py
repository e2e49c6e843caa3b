"""Attributions of many rows as a state that merges: means, quantiles and co-moments by group."""
