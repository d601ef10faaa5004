"""The lake itself: settings, catalog, volumes, queries, snapshots, verification."""
