"""The 25 Hz grid on which lips and voice are compared: resampling, streamed encoders, the window."""
