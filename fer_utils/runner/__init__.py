"""Notebooks as stages: what runs, what is fresh, what was kept, and on what record."""
