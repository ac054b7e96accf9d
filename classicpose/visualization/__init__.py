"""Drawing people and maps: arrays in, images out."""
