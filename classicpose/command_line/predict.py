"""``classicpose predict``: find the people in images and videos.

classicpose predict openpose_lite street.jpg --out-dir drawn
classicpose predict openpose_lite.onnx street.jpg --out-dir drawn
classicpose predict configs/openpose_coco.py work_dirs/openpose_coco/epoch_60.pth street.jpg --out-dir drawn
"""

from __future__ import annotations

import argparse
import glob
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_WHOLE, _DETECTOR = 'image', 'detector'
_OUTPUTS = dict(
    out_dir=('DIR', 'drawn images, and of every video a drawn video'),
    write_images=('DIR', 'a drawn image of every image and frame'),
    write_video=('FILE', 'one drawn video (.mp4, .avi, .webm) of all images and frames'),
    write_json=('DIR', "OpenPose's JSON, one file an image or frame"),
    write_coco_json=('FILE', "all results in one file in COCO's format"),
    write_coco_dataset=('FILE', "annotations in COCO's format, to be corrected and trained on"),
    write_csv=('FILE', 'a table with one row for each person'),
    write_long_csv=('FILE', 'a table with one row for each keypoint'),
    write_dlc_csv=('DIR', "DeepLabCut's table of every video"),
    write_pyskl=('FILE', 'the skeletons of all videos for action recognition (PYSKL, MMAction2)'),
    write_controlnet=('DIR', "ControlNet's JSON and picture of every image and frame"),
    write_heatmaps=('DIR', 'the heatmaps and fields, drawn over the images'),
    write_maps=('DIR', 'the heatmaps and fields as numpy arrays (.npz)'),
)


def parse_args(arguments: Sequence[str], program: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program,
        description='Find the people in images and videos. Options with an underscore are named as in OpenPose.',
        usage='%(prog)s [options] (NAME | FILE.onnx | CONFIG CHECKPOINT) INPUT [INPUT ...]',
    )
    parser.add_argument(
        'model_and_inputs',
        nargs='+',
        metavar='MODEL_OR_INPUT',
        help="a model's name, see --list, or an .onnx file that tools/export_onnx.py made, or the config file a model "
        'was trained with and its .pth or .onnx file; then images, folders of images, videos, patterns in quotes, a '
        'camera index, or http(s) URLs',
    )
    parser.add_argument(
        '--list', action=_ListModels, nargs=0, help='the models that have a name: what they find, size, metric, licence'
    )

    output = parser.add_argument_group('output, at least one')
    for name, (metavar, text) in _OUTPUTS.items():
        output.add_argument('--out-dir' if name == 'out_dir' else f'--{name}', metavar=metavar, help=text)
    output.add_argument(
        '--model_pose',
        choices=('COCO', 'BODY_25', 'MPI'),
        help="keypoints in the JSON (default: the network's own, COCO's if they are none of these)",
    )
    output.add_argument(
        '--keypoint_scale',
        type=int,
        choices=range(5),
        default=0,
        help="in the JSON: 0 and 2 the image's pixels, 1 the network's input's, 3 from 0 to 1, 4 from -1 to 1",
    )
    output.add_argument('--part_candidates', action='store_true', help='in the JSON also all peaks of every keypoint')
    output.add_argument(
        '--render_threshold',
        type=float,
        default=0.05,
        help='lowest score of keypoints in drawings, in the dataset and for ControlNet (default: %(default)s)',
    )
    output.add_argument('--disable_blending', action='store_true', help='draw on black')

    network = parser.add_argument_group('the network')
    network.add_argument(
        '--net_resolution', type=_resolution, metavar='WxH', help='fit images into this size; -1x368: any width'
    )
    network.add_argument(
        '--scale_number', type=_positive, metavar='N', help='sizes of the image to average (default: as configured)'
    )
    network.add_argument(
        '--scale_gap', type=float, default=0.25, help='difference between two sizes (default: %(default)s)'
    )
    network.add_argument(
        '--maximize_positives', action='store_true', help='lower thresholds: more people, more false positives'
    )
    network.add_argument('--number_people_max', type=_positive, metavar='N', help='keep the best N people of an image')
    network.add_argument(
        '--boxes',
        default=None,
        metavar=f'{_WHOLE}|{_DETECTOR}|FILE|MODEL',
        help='boxes for single-person networks: the full image (default), a torchvision detector, a JSON file, '
        'or a bottom-up network by its name or .onnx file',
    )
    network.add_argument('--detector_weights', metavar='FILE', help="the detector's weights (default: downloaded)")
    network.add_argument('--batch_size', type=_positive, default=8, metavar='N', help='images at a time (default: 8)')
    network.add_argument('--device', help="'cpu', 'cuda', ... (default: a GPU if there is one)")
    network.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='settings that override the config'
    )

    others = parser.add_argument_group('hands and faces')
    for part, plural in (('hand', 'hands'), ('face', 'faces')):
        others.add_argument(f'--{part}', action='store_true', help=f'also find the {plural} of all people')
        others.add_argument(
            f'--{part}_model',
            nargs=2,
            metavar=('CONFIG', 'CHECKPOINT'),
            help=f"their network (default: OpenPose's, {part} beside the body's file, .pth or .onnx)",
        )

    video = parser.add_argument_group('videos and folders')
    video.add_argument('--frame_first', type=int, default=0, metavar='N', help='from this frame on, counted from 0')
    video.add_argument('--frame_last', type=int, metavar='N', help='to this frame')
    video.add_argument('--frame_step', type=_positive, default=1, metavar='N', help='every N-th frame')
    video.add_argument('--tracking', action='store_true', help='people keep their ids from frame to frame')
    video.add_argument(
        '--look_every',
        type=_positive,
        default=1,
        metavar='N',
        help='look at every N-th frame only and fill in the tracked people of those between; includes --tracking',
    )
    video.add_argument('--smoothing', action='store_true', help='filter the keypoints over time; includes --tracking')

    args = parser.parse_intermixed_args(_joined(arguments))
    args.config, args.checkpoint, args.inputs = _model_and_inputs(parser, args.model_and_inputs)
    if not any(getattr(args, name) for name in _OUTPUTS):
        parser.error('nothing to write: give --out-dir DIR, or another of the options listed under "output" in --help')
    if args.detector_weights and args.boxes != _DETECTOR:
        parser.error(f'--detector_weights needs --boxes {_DETECTOR}')
    if args.part_candidates and not args.write_json:
        parser.error('--part_candidates needs --write_json')
    if args.look_every > 1 and (args.write_heatmaps or args.write_maps or args.part_candidates):
        parser.error('--look_every: frames that the network does not look at have no heatmaps, maps and candidates')
    for part in ('hand', 'face'):
        if getattr(args, f'{part}_model') and not getattr(args, part):
            parser.error(f'--{part}_model needs --{part}')
    return args


class _ListModels(argparse.Action):
    """Prints the zoo and leaves, as --help does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from .models import print_models

        print_models()
        parser.exit()


def _model_and_inputs(parser: argparse.ArgumentParser, arguments: list[str]) -> tuple[str, str | None, list[str]]:
    """A config is a Python file or a path; an .onnx file or the name of a model has no checkpoint beside it."""
    first = Path(arguments[0])
    is_config = first.suffix != '.onnx' and (first.suffix == '.py' or len(first.parts) > 1)
    model, inputs = arguments[: 1 + is_config], arguments[1 + is_config :]
    if len(model) < 1 + is_config or not inputs:
        parser.error(
            "give a model's name, its .onnx file, or its config and its checkpoint, and then images, folders or videos"
        )
    return model[0], model[1] if is_config else None, inputs


def _joined(arguments: Sequence[str]) -> list[str]:
    """``--net_resolution -1x368`` as OpenPose's users write it; argparse would take ``-1x368`` for an option."""
    line = re.sub(r'(?:^|(?<=\0))--net_resolution\0-', '--net_resolution=-', '\0'.join(arguments))
    return line.split('\0') if arguments else []


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number from 1 on')
    return int(text)


def _resolution(text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(-1|[1-9]\d*)x(-1|[1-9]\d*)', text)
    if match is None or text == '-1x-1':
        raise argparse.ArgumentTypeError(f'{text!r} is no size such as 656x368, or -1x368 for any width')
    return int(match[1]), int(match[2])


def main(arguments: Sequence[str], program: str) -> None:
    """Run the command with the arguments of its command line; ``program`` is what it was called by."""
    args = parse_args(arguments, program)
    # After parsing, so that --help and a mistyped option answer at once.
    from ..errors import UserError, report_errors

    with report_errors():
        unreadable: list[UserError] = []
        count = predict(args, unreadable)
        print(f'{count} frames' if count != 1 else '1 frame', file=sys.stderr)
        if unreadable:
            raise UserError(f'left out {len(unreadable)} of the images; the first: {unreadable[0]}')


def predict(args: argparse.Namespace, unreadable: list) -> int:
    from ..files import refuse_inputs
    from ..inference import boxes
    from ..inference.frames import open_frames
    from ..inference.predictor import Predictor
    from ..inference.run import run

    frames = open_frames(args.inputs, args.frame_first, args.frame_last, args.frame_step, unreadable)
    networks = (args.config, args.checkpoint, args.boxes, args.detector_weights, *(args.hand_model or ()))
    refuse_inputs(_outputs(args, frames), filter(None, (*frames.names, *networks, *(args.face_model or ()))))
    given = _boxes(args)
    predictor = Predictor(
        args.config,
        args.checkpoint,
        boxes=given,
        device=args.device,
        # A camera's images are wanted at once.
        batch_size=args.batch_size if frames.length is not None else 1,
        options=args.cfg_options,
        net_resolution=args.net_resolution,
        scale_number=args.scale_number,
        scale_gap=args.scale_gap,
        maximize_positives=args.maximize_positives,
        number_people_max=args.number_people_max,
        maps=bool(args.write_heatmaps or args.write_maps),
        candidates=args.part_candidates,
        hand=_part('hand', args),
        face=_part('face', args),
    )
    count = run(predictor, frames, _writers(args, frames, predictor), args.tracking, args.smoothing, args.look_every)
    if count and isinstance(given, boxes.BoxFile):
        given.check_found()
    return count


def _part(part: str, args: argparse.Namespace):
    from ..errors import UserError
    from ..inference.hands_and_faces import PartNetwork
    from ..inference.plug_ins import plug_ins

    if not getattr(args, part):
        return None
    if given := getattr(args, f'{part}_model'):
        return PartNetwork(part, *given, args.device)
    body = Path(args.checkpoint or args.config)
    beside = body.parent / f'{part}{body.suffix or ".pth"}'
    if not beside.is_file():
        raise UserError(
            f"--{part}: {beside} does not exist; tools/convert_weights.py makes it of OpenPose's models, or name "
            f'another network with --{part}_model CONFIG CHECKPOINT'
        )
    if beside.suffix == '.onnx':
        return PartNetwork(part, beside, device=args.device)
    config = plug_ins(f'{beside}').shipped_config(f'configs/openpose_{part}_released.py')
    return PartNetwork(part, config, beside, args.device)


def _boxes(args: argparse.Namespace):
    from ..inference import boxes
    from ..inference.plug_ins import plug_ins

    if args.boxes == _WHOLE:
        return boxes.full_image
    if args.boxes == _DETECTOR:
        return plug_ins('a detector').PersonDetector(weights=args.detector_weights, device=args.device)
    if args.boxes and _is_box_file(Path(args.boxes)):
        return boxes.BoxFile(args.boxes)
    return args.boxes


def _is_box_file(path: Path) -> bool:
    return path.suffix == '.json' or path.suffix != '.onnx' and path.exists()


def _outputs(args: argparse.Namespace, frames) -> Iterator[str | Path]:
    """The files that will be written, of those in folders about a video's frames only such as are there already."""
    from ..writers import controlnet, images, maps, openpose_json

    yield from (path for name, (kind, _) in _OUTPUTS.items() if kind == 'FILE' and (path := getattr(args, name)))
    in_folders = (
        (args.out_dir, images.Renderings), (args.write_images, images.RenderedImages),
        (args.write_json, openpose_json.OpenPoseJson), (args.write_heatmaps, maps.MapImages),
        (args.write_maps, maps.MapArrays), (args.write_controlnet, controlnet.ControlNet),
    )  # fmt: skip
    for folder, writer in in_folders:
        for path, name in frames.names.items() if folder else ():
            if path not in frames.videos:
                yield from (Path(folder, name + ending) for ending in writer.endings)
            elif writer is images.Renderings:
                yield Path(folder, name + writer.video_ending)
            else:
                for ending in writer.endings:
                    yield from Path(folder).glob(f'{glob.escape(name)}_{12 * "[0-9]"}{ending}')


def _writers(args: argparse.Namespace, frames, predictor) -> list:
    from ..writers import action, coco_json, controlnet, images, maps, openpose_json, tables

    threshold, columns = args.render_threshold, (predictor.skeleton, predictor.parts)
    on_black = images.OnBlack if args.disable_blending else lambda writer: writer
    layout = dict(COCO='coco18', BODY_25='body25', MPI='mpi15').get(args.model_pose)
    layout = layout or openpose_json.own_layout(predictor.skeleton)
    json_settings = layout, args.keypoint_scale, predictor.net_resolution, predictor.skeleton
    makers = dict(
        out_dir=lambda path: on_black(images.Renderings(path, frames.videos, threshold)),
        write_images=lambda path: on_black(images.RenderedImages(path, threshold)),
        write_video=lambda path: on_black(images.RenderedVideo(path, frames.fps, threshold)),
        write_json=lambda path: openpose_json.OpenPoseJson(path, *json_settings),
        write_coco_json=lambda path: coco_json.CocoResults(path, frames.numbered, predictor.skeleton),
        write_coco_dataset=lambda path: coco_json.CocoDataset(path, threshold),
        write_csv=lambda path: tables.WideTable(path, *columns),
        write_long_csv=lambda path: tables.LongTable(path, *columns),
        write_dlc_csv=lambda path: tables.DeepLabCutTables(path, predictor.skeleton),
        write_pyskl=lambda path: action.ActionFile(path, predictor.skeleton),
        write_controlnet=lambda path: controlnet.ControlNet(path, threshold, predictor.skeleton),
        write_heatmaps=lambda path: on_black(maps.MapImages(path)),
        write_maps=maps.MapArrays,
    )
    return [makers[name](path) for name in _OUTPUTS if (path := getattr(args, name))]
