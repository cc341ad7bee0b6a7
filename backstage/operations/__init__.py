"""What is done whole or not at all."""
