"""Files about people: OpenPose JSON, COCO JSON, CSV, images, videos, maps."""
