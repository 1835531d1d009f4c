"""What the product is; it knows no platform and no database."""
