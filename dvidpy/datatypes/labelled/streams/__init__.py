"""Whole blocks as they are stored: `routes` HTTP to values, `sending` and `taking` what they mean."""
