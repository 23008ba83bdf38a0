"""What the encoders are: torch modules, needed to train and export, never to run."""
