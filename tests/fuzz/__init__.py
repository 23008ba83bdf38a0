"""Foreign bytes against every parser that reads them: `make fuzz`, and a short look in `make test`.

A target is one parser, the errors that it documents, and seeds in `tests/fuzz/seeds/NAME/`. Inputs are changed seeds
and plain noise; anything that comes out but a documented error is a finding, and its input becomes a seed.
"""
