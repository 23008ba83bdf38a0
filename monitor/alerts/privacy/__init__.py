"""What is kept of people in findings and casework: how long, and all of it that is of one of them."""
