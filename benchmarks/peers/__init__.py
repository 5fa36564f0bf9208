"""The stores that are compared: one adapter each, and the process it runs in."""
