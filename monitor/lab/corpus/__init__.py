"""Recordings as the laboratory reads them: manifests, features kept by content, calls strung from clips."""
