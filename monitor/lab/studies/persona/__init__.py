"""How well people are recognised by how they move: a person-of-interest study of recorded clips."""
