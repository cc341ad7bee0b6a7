"""Facts about an Act at one moment: frozen values that depend on no other package of ours."""
