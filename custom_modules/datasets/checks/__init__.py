"""What datasets hold and what is wrong with them."""
