"""What data sets hold and what is wrong with them."""
