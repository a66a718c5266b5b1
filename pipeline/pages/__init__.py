"""Pages for people: one HTML file each, which opens from a disk and asks no other place for anything."""
