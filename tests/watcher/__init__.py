"""Tests of the watcher; those with a real Emperor are in integration/test_watcher.py."""
