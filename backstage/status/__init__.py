"""The states of Acts: finding them, explaining failures, and waiting for a state."""
