"""The Django project of an Act: its scaffold, its .env, what it is made of."""
