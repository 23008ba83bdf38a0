"""What a number of participants needs, and what would become of them: computed and simulated from measured costs."""
