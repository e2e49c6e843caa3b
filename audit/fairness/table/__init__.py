"""The table of counts: its axes, its groups, the metrics read off it, and how it is filled, merged and kept."""
