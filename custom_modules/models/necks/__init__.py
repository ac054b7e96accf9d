from .finest_level_fpn import FinestLevelFPN

__all__ = ['FinestLevelFPN']
