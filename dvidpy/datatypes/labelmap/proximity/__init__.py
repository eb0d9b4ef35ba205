"""How near bodies come to one another."""
