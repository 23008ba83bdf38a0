"""The shapes of what the surface sends and takes, for the published OpenAPI document and JSON Schemas."""
