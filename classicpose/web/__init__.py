"""A page in the browser that finds people: what ``classicpose web`` serves."""
