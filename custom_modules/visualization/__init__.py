"""Arrays in, images out: people, maps, training samples, cascades, curves of logs."""
