"""Keys: what an agent shows to say who it is."""
