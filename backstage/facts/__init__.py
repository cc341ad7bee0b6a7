"""What is known of an Act at one moment: frozen words that nothing else of ours is needed for."""
