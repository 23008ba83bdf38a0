"""How well people are told by how they move: a person-of-interest study of recorded clips."""
