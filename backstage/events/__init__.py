"""Events: every change of an Act, reported as it happens."""
