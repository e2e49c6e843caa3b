"""What every attribution is made of: the explained number, the groups it is handed out to, chunks, budget, result."""
