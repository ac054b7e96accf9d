from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class MirrorLeftHand(BaseTransform):
    """Mirror the image of a sample that is ``mirrored``, with its ``bbox`` and ``keypoints``, left to right.

    OpenPose's hand network has only seen right hands; a left one looks like a right one in the mirror. All coordinates
    from here on are the mirrored image's: x there is the width less one less x in the image.
    """

    def transform(self, results: dict) -> dict:
        """Mirror, or leave as it is."""
        if not results.get('mirrored', False):
            return results
        last = results['img'].shape[1] - 1
        results['img'] = np.ascontiguousarray(results['img'][:, ::-1])
        results['bbox'] = np.stack(
            [last - results['bbox'][:, 2], results['bbox'][:, 1], last - results['bbox'][:, 0], results['bbox'][:, 3]],
            axis=1,
        )
        if 'keypoints' in results:
            results['keypoints'] = results['keypoints'] * np.float32([-1, 1]) + np.float32([last, 0])
        return results
