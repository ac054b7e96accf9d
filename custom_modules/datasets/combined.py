"""Several datasets in one training, each with a body model of its own, converted by name to one.

Symbols: N people, K keypoints.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from mmpose.datasets.dataset_wrappers import CombinedDataset
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

from classicpose.errors import UserError
from classicpose.skeletons import OPENPOSE18, Skeleton, convert_keypoints, get_skeleton, known_keypoints, skeleton_of

from .coco import main_keypoints


@DATASETS.register_module()
class BottomUpPeopleDataset(BaseCocoStyleDataset):
    """The people of a dataset of single people, such as LSP's or FLIC's, for networks that find everybody.

    There is one sample for every annotated person with enough keypoints, centred on that person; other people annotated
    in the same image are targets too. A sample holds the same as ``BottomUpCocoDataset``'s, with ``main_height`` the
    longer side of the box around the main person's keypoints, and ``ignore`` None. Other people in the image are not
    annotated, so let ``IgnoreOutsidePeople`` in the pipeline mask what is not near the annotated people.

    Args:
        dataset: the config of a dataset whose samples have ``img_path``, ``keypoints`` (1, k, 2) and
            ``keypoints_visible`` (1, k), and whose metainfo names the k keypoints. Sides must be the person's own.
        skeleton: the body model to train.
        kwargs: those of MMPose's BaseCocoStyleDataset: ``pipeline``, ``indices``.

    Raises:
        UserError: when nobody has enough keypoints, or what ``dataset`` raises.
    """

    METAINFO = OPENPOSE18.metainfo()

    def __init__(self, dataset: dict, skeleton: Skeleton | str = OPENPOSE18, **kwargs: object) -> None:
        self.skeleton = get_skeleton(skeleton)
        # Its list is read below. Its own start would read it twice, and LSP's would open every image.
        self.people = DATASETS.build(dict(dataset, lazy_init=True))
        super().__init__(data_mode='bottomup', metainfo=self.skeleton.metainfo(), **kwargs)

    def load_data_list(self) -> list[dict]:
        """Every main person's sample; see the class."""
        source = skeleton_of(self.people.metainfo)
        known = known_keypoints(source, self.skeleton)
        images = defaultdict(list)
        for person in self.people.load_data_list():
            images[person['img_path']].append(person)
        samples = []
        for path, people in images.items():
            own = np.concatenate([person['keypoints'] for person in people])
            labelled = np.concatenate([person['keypoints_visible'] for person in people])
            keypoints, visible = convert_keypoints(own, labelled, source, self.skeleton)
            for person, points, flags in zip(people, own, labelled, strict=True):
                points = points[flags > 0]
                if len(points) < main_keypoints(len(source.keypoints)):
                    continue
                low, high = points.min(axis=0), points.max(axis=0)
                samples.append(
                    dict(
                        img_id=person['img_id'],
                        img_path=path,
                        id=[other['id'] for other in people],
                        keypoints=keypoints,
                        keypoints_visible=visible,
                        annotated_keypoints=known.copy(),
                        main_center=(low + high) / 2,
                        main_height=float((high - low).max()),
                        ignore=None,
                    )
                )
        if not samples:
            raise UserError(f'{self.people.ann_file}: nobody has enough keypoints to train on')
        return samples


@DATASETS.register_module()
class CombinedSkeletonDataset(CombinedDataset):
    """MMPose's CombinedDataset for datasets that are converted to one skeleton, given instead of a metainfo.

    Args:
        datasets: the configs of datasets with this ``skeleton``, each with a ``pipeline`` of its own first steps.
        skeleton: the body model of the samples, or its dotted name.
        kwargs: those of MMPose's CombinedDataset: ``pipeline``, the last steps of all datasets, and
            ``sample_ratio_factor``, the share of each dataset in an epoch.
    """

    METAINFO = OPENPOSE18.metainfo()

    def __init__(self, datasets: list[dict], skeleton: Skeleton | str = OPENPOSE18, **kwargs: object) -> None:
        self.skeleton = get_skeleton(skeleton)
        super().__init__(metainfo=self.skeleton.metainfo(), datasets=datasets, **kwargs)
