"""MMPose's HRNet under OpenPose's head, with a neck between them."""

from .neck import JoinBranches

__all__ = ['JoinBranches']
