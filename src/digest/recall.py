"""How many papers of a topic were missed."""
