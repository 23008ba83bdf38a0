"""What a call, a codec or an adversary does to picture and sound, applied to clips."""
