"""Where candidates run: closed off, bounded, and believed in nothing but predictions."""
