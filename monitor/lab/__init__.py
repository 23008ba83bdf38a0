"""The laboratory: what measures and trains the product. Nothing outside imports it but the registration of commands."""
