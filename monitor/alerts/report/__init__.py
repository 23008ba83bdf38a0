"""The evidence report of a finding: what was found, how sure it is and what else it may be, signed to be handed on."""
