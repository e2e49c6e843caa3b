"""Fairness of tasks whose output is a number: a regression, a ranking. Loads no torch."""
