"""Drawn people: `poses` samples joints, `people` dresses and draws them, `pictures` composes."""
