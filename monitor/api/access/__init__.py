"""Who a bearer token belongs to and what they may do: roles, signed tokens, their register, and who guesses."""
