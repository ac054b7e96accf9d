"""The page: what is on it, and what its controls do."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Before the import, which reads them: gradio would tell its makers about each page.
os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
os.environ['HF_HUB_OFFLINE'] = '1'

import gradio as gr
from starlette.middleware import Middleware

from ..errors import UserError, message_of
from ..inference.frames import VIDEO_ENDINGS
from ..inference.zoo import named_models
from .results import Results, Settings, load, look_at

MOST_BYTES = 100 * 2**20
"""Of an uploaded file."""

_SAMPLES = Path(__file__).parents[2] / 'docs/samples'  # in the repository
# The browser refuses everything from elsewhere, whatever gradio's own files ask for.
_POLICY = (
    "default-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:"
)
_TABLE = ['person', 'frames', 'score', 'keypoints']
_SECONDS_KEPT = 3600  # of uploads and results


def serve(models: Mapping[str, tuple[str, ...]], host: str, port: int, folder: Path) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    Args:
        models: by the name in the page's list, what :class:`~classicpose.inference.Predictor` is called with.
        folder: for uploads and results.

    Raises:
        UserError: when the address is not available.
    """
    os.environ['GRADIO_TEMP_DIR'] = str(folder / 'uploads')
    page = make_page(models, folder)
    try:
        page.launch(
            server_name=host,
            server_port=port,
            theme=gr.themes.Default(font='sans-serif', font_mono='monospace'),  # others come from Google
            max_file_size=MOST_BYTES,
            footer_links=[],
            ssr_mode=False,
            share=False,
            show_error=True,
            quiet=True,
            prevent_thread_lock=True,
            allowed_paths=[str(folder)],
            app_kwargs=dict(middleware=[Middleware(_with_policy)]),
        )
    except OSError as error:
        raise UserError(f'{host}:{port} cannot be served ({error}); give another --host or --port') from error
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else the folder would stay
    print(f'the page is at http://{host}:{port}; Ctrl-C ends it', flush=True)
    page.block_thread()


def zoo() -> dict[str, tuple[str, ...]]:
    """The models that have a name, as :func:`serve` takes them."""
    return {f'{model.name}: {model.finds} ({model.licence})': (model.name,) for model in named_models().values()}


def make_page(models: Mapping[str, tuple[str, ...]], folder: Path) -> gr.Blocks:
    """The page, see :func:`serve`."""
    with gr.Blocks(title='ClassicPose', analytics_enabled=False, delete_cache=(_SECONDS_KEPT, _SECONDS_KEPT)) as page:
        gr.Markdown('# ClassicPose\nFinds people in images and videos, on the machine that serves this page.')
        with gr.Row():
            with gr.Column():
                with gr.Tab('Image'):
                    image = _unread(gr.Image(type='filepath', label='Image', height=320))
                    find_in_image = gr.Button('Find people', variant='primary')
                    gr.Examples([str(path) for path in sorted(_SAMPLES.glob('*.jpg'))], image, label='Examples')
                with gr.Tab('Video'):
                    video = _unread(gr.Video(label='Video', height=320))
                    find_in_video = gr.Button('Find people in the video', variant='primary')
                model = gr.Dropdown(list(models), value=next(iter(models)), label='Model')
                with gr.Accordion('A network of your own, exported by tools/export_onnx.py', open=False):
                    onnx = gr.File(label='ONNX file, used in place of the model above', file_types=['.onnx'])
                with gr.Accordion('Settings', open=True):
                    thresholds = [
                        gr.Slider(0, 1, step=0.005, label='Peaks of keypoints: lowest score'),
                        gr.Slider(0, 1, step=0.005, label='Limbs: lowest score of the field'),
                        gr.Slider(0, 1, step=0.005, label='People: lowest score a keypoint'),
                    ]
                    others = [
                        gr.Slider(0, 1, 0.05, step=0.01, label='Draw keypoints from this score on'),
                        gr.Slider(0, 50, 0, step=1, label='Most people, 0 for everybody'),
                        gr.Checkbox(False, label='Look at the mirrored image, too'),
                        gr.Slider(1, 4, 1, step=1, label='Number of scales'),
                        gr.Slider(0.05, 0.3, 0.25, step=0.05, label='Gap from a scale to the next'),
                        gr.Checkbox(False, label='Heatmaps and fields (images)'),
                        gr.Checkbox(False, label='Smooth over time (videos)'),
                    ]
            with gr.Column():
                summary = gr.Markdown(elem_id='summary')
                # Without gradio's button to share it with everybody.
                shown = dict(buttons=['download', 'fullscreen'], interactive=False)
                drawn_image = gr.Image(label='People', elem_id='drawn', height=480, **shown)
                drawn_video = gr.Video(label='People', elem_id='drawn_video', visible=False, **shown)
                fitted = dict(columns=2, height=280, object_fit='contain')
                maps = gr.Gallery(label='Heatmaps and fields', elem_id='maps', visible=False, **fitted, **shown)
                table = gr.Dataframe(headers=_TABLE, label='People', interactive=False)
                downloads = gr.File(label='OpenPose JSON, COCO JSON, CSV', file_count='multiple', elem_id='downloads')

        def find(upload: str | None, name: str, file: str | None, *controls: float) -> list:
            with _told_on_the_page():
                if upload is None:
                    raise UserError('give an image or a video first')
                settings = Settings(_chosen(models, name, file), *controls)
                results = look_at(upload, settings, Path(tempfile.mkdtemp(dir=folder)))
            return _shown(results)

        def own_thresholds(name: str, file: str | None) -> list:
            with _told_on_the_page():
                decoding = load(_chosen(models, name, file)).decoding
            if decoding is None:
                return [gr.update(interactive=False)] * 3
            values = (decoding.peak_threshold, decoding.paf_threshold, decoding.min_score)
            return [gr.update(value=value, interactive=True) for value in values]

        # One thing at a time: each of them uses every core.
        alone = dict(concurrency_limit=1, concurrency_id='network', api_visibility='private')
        controls = [model, onnx, *thresholds, *others]
        outputs = [summary, drawn_image, drawn_video, maps, table, downloads]
        find_in_image.click(find, [image, *controls], outputs, **alone)
        find_in_video.click(find, [video, *controls], outputs, **alone)
        for changed in (page.load, model.change, onnx.change):
            changed(own_thresholds, [model, onnx], thresholds, **alone)
    return page


def _unread(component: gr.Image | gr.Video) -> gr.Image | gr.Video:
    """The component, handing over its file as it was uploaded: gradio's own reading says less about broken files.

    Not a subclass, for which gradio would write a file beside this one.
    """
    component.preprocess = lambda payload: payload and payload.path
    return component


def _chosen(models: Mapping[str, tuple[str, ...]], name: str, file: str | None) -> tuple[str, ...]:
    return (file,) if file else models[name]


def _shown(results: Results) -> list:
    is_video = results.rendering.suffix in VIDEO_ENDINGS
    rendering, maps = str(results.rendering), [str(path) for path in results.maps]
    return [
        f'**{results.summary}**',
        gr.update(value=None if is_video else rendering, visible=not is_video),
        gr.update(value=rendering if is_video else None, visible=is_video),
        gr.update(value=maps, visible=bool(maps)),
        results.table,
        [str(path) for path in results.downloads],
    ]


@contextmanager
def _told_on_the_page() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise gr.Error(message_of(error), duration=None, print_exception=False) from error


def _with_policy(app: Callable) -> Callable:
    """The application with a content security policy in every answer."""

    async def answer(scope: dict, receive: Callable, send: Callable) -> None:
        async def send_with_policy(message: dict) -> None:
            if message['type'] == 'http.response.start':
                message['headers'] = [*message['headers'], (b'content-security-policy', _POLICY.encode())]
            await send(message)

        await app(scope, receive, send_with_policy)

    return answer
