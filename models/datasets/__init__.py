"""Loaders of data sets, one module each."""
