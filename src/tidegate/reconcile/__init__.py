"""Pure rules from records and now to actions, and the loop that applies them."""
