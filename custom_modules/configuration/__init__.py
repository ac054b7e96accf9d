"""Config files: reading them, the settings that override them, and what is wrong in them."""
