"""The part-affinity algorithm as pure functions on arrays: targets, peaks, limb scores, assembly.

Convention: pixel coordinates are (x, y) with integer values at pixel centres. A map of stride s has the centre of cell
g at input pixel s * g + s / 2 - 0.5, heatmaps and affinity fields alike. "Cells" below are coordinates on that grid.
"""

from __future__ import annotations

from .assembly import assemble_people, complete_people
from .decode import decode_people, part_candidates
from .limbs import Candidates, Connections, match_one_to_one, score_limbs
from .maps import cells_to_pixels, flip_maps, image_to_map_matrix, pixels_to_cells
from .peaks import Peaks, find_peaks
from .settings import DECODERS, DecodeSettings
from .targets import affinity_fields, gaussian_heatmaps

__all__ = [
    'DECODERS', 'Candidates', 'Connections', 'DecodeSettings', 'Peaks', 'affinity_fields', 'assemble_people',
    'cells_to_pixels', 'complete_people', 'decode_people', 'find_peaks', 'flip_maps', 'gaussian_heatmaps',
    'image_to_map_matrix', 'match_one_to_one', 'part_candidates', 'pixels_to_cells', 'score_limbs',
]  # fmt: skip
