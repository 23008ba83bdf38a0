"""Do lips and voice belong together? After SpeechForensics."""
