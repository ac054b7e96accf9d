"""The two names that RTMO's head uses."""

from mmengine.config import ConfigDict
from mmengine.dist import all_reduce

ConfigType = ConfigDict | dict


def reduce_mean(tensor):
    """The mean of a tensor over all processes."""
    tensor = tensor.clone()
    all_reduce(tensor, 'mean')
    return tensor
