"""Django Backstage: many Django services on one host, made simple."""
