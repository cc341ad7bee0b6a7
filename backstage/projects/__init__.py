"""The Django project of an Act: its scaffold, its .env and its settings."""
