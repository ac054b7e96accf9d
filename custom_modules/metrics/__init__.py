from .coco import BodyCocoMetric, CheckedCocoMetric, FootCocoMetric
from .joints import auc, pcp, pdj, torso_box_diameters, torso_diameters
from .pdj_pcp import PCP, PDJ

__all__ = [
    'PCP',
    'PDJ',
    'BodyCocoMetric',
    'CheckedCocoMetric',
    'FootCocoMetric',
    'auc',
    'pcp',
    'pdj',
    'torso_box_diameters',
    'torso_diameters',
]
