"""OpenPose's released model MPI with the first four stages, as its option MPI_4_layers."""

from mmengine.config import read_base

with read_base():
    from .openpose_mpi_released import *

codec.decoder.update(peak_threshold=0.3)
model.head.update(num_stages=4, decoder=codec)
targets.update(encoder=codec)
train_dataloader.dataset.update(pipeline=[load, crop, targets, pack])
