"""Ready-made subjects, trained in one command."""
