"""COCO annotations and results: pycocotools' class with xtcocotools' tolerances."""

from __future__ import annotations

import json

from pycocotools import coco


class COCO(coco.COCO):
    """pycocotools' COCO, accepting annotations without ``iscrowd`` and empty lists of results."""

    def createIndex(self) -> None:
        """Index the data set; an annotation that does not say so is not a crowd."""
        for annotation in self.dataset.get('annotations', []):
            annotation.setdefault('iscrowd', 0)
        super().createIndex()

    def loadRes(self, resFile: str | list[dict]) -> coco.COCO:
        """Load detections, given as a list or as the path of a JSON file; there may be none."""
        detections = resFile
        if isinstance(resFile, str):
            with open(resFile, encoding='utf-8') as file:
                detections = json.load(file)
        if len(detections) > 0:
            return super().loadRes(detections)
        nothing_found = COCO()
        nothing_found.dataset = {**self.dataset, 'annotations': []}
        nothing_found.createIndex()
        return nothing_found
