"""Numbers that are found anew from what is stored."""
