"""MMPose's HRNet under OpenPose's head: everything is configured, nothing is written."""
