"""The training recipes of the model packs; they take arrays and features of clips, and know nothing of calls."""
