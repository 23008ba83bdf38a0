"""What plug-ins share and what of their protocols is pure: messages read and written, and what is to be done next."""
