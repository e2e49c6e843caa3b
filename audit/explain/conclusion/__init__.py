"""From attributions of sampled rows to measures, exhibits and findings of a record."""
