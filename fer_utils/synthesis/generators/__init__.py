"""Text-to-image generators: loading them by name, and the two tiny ones this project ships and can
train again."""
