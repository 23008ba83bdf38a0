"""From recordings to a reference, or to the reasons why not."""
