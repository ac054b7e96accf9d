"""What MMPose's models import of MMDetection. Its detectors come with the real one: pip install onedl-mmdetection."""
