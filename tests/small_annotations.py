"""A small annotation file in COCO's format, without mistakes."""

from __future__ import annotations

NAMES = ('head', 'hand', 'foot')
WIDTH, HEIGHT = 100, 80


def person(number: int, image_id: int = 1, **changes: object) -> dict:
    """Three keypoints: a visible one, a hidden one and an unlabelled one."""
    return (
        dict(
            id=number,
            image_id=image_id,
            category_id=1,
            iscrowd=0,
            keypoints=[20, 15, 2, 30, 25, 1, 0, 0, 0],
            num_keypoints=2,
            bbox=[10, 10, 40, 50],
            area=1234,
            segmentation=[[10, 10, 50, 10, 50, 60]],
        )
        | changes
    )


def sound() -> dict:
    """Two images, three people and a crowd."""
    nobody = dict(keypoints=[0] * 9, num_keypoints=0)
    return dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=WIDTH, height=HEIGHT) for i in (1, 2)],
        annotations=[
            person(11),
            person(12, area=900, **nobody),
            person(13, image_id=2, area=9999, keypoints=[9, 9, 2] * 3, num_keypoints=3, bbox=[0, 0, 90, 80]),
            person(14, image_id=2, iscrowd=1, **nobody),
        ],
        categories=[dict(id=1, name='person', keypoints=list(NAMES))],
    )
