"""What every room stands on: emotions, faces, settings, places and errors."""
