"""What the encoders are: torch modules, to train and to export; packs run without them."""
