"""Stand-in for xtcocotools where the genuine package cannot be installed (Python 3.12)."""
