"""How records are explored."""
