"""The sidecar on more processes than one: a gateway, hosts that judge, and the link between them."""
