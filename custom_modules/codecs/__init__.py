from .part_affinity_field import PartAffinityField

__all__ = ['PartAffinityField']
