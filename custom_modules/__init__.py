"""ClassicPose: classic pose systems as plug-ins for MMPose.

After importing this package MMPose's registries know all of them. Nothing heavy is imported before MMEngine or MMPose
are, so that prediction without PyTorch starts quickly.
"""

from . import compat

__version__ = '0.1.0'

compat.prepare(
    {
        'DATASETS': f'{__name__}.datasets',
        'DATA_SAMPLERS': f'{__name__}.datasets',
        'FUNCTIONS': f'{__name__}.datasets',
        'HOOKS': f'{__name__}.engine',
        'KEYPOINT_CODECS': f'{__name__}.codecs',
        'METRICS': f'{__name__}.metrics',
        'MODELS': f'{__name__}.models',
        'OPTIM_WRAPPERS': f'{__name__}.engine',
        'OPTIM_WRAPPER_CONSTRUCTORS': f'{__name__}.engine',
        'TRANSFORMS': f'{__name__}.datasets',
    }
)
