"""What Zoom says and is told, and whose turn it is."""
