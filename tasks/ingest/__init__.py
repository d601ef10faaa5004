"""From the objects of one series to volumes and table rows."""
