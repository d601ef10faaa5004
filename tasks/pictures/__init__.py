"""Pictures for reports: arrays in, PNG bytes out."""
