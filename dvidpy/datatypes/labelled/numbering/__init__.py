"""Routes about labels in use and labels to come; what they mean stands in `ids`."""
