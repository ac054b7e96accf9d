"""Synthetic people: `poses` samples joints, `people` dresses and draws them, `images` composes."""
