"""Where the code of an Act comes from: understand what the user typed, and fetch it."""
