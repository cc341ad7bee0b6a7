"""The logs of Acts and of the Emperor: read, dated, interleaved."""
