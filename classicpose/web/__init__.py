"""A page in the browser that finds people: what ``tools/web.py`` serves."""
