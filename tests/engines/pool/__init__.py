"""The pool of encoders: what crosses to it, when it is asked, and what it computes."""
