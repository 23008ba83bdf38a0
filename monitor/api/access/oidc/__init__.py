"""Sign-in by OpenID Connect: an identity provider says who somebody is, the settings say what they may do."""
