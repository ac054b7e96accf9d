from .coco import BodyCocoMetric

__all__ = ['BodyCocoMetric']
