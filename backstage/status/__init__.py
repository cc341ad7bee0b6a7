"""How Acts are: seen in one look, with the reason where they fail, and waited for."""
