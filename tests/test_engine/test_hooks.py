"""The hooks in a real Runner: files and TensorBoard events are written and read back."""

import copy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData, PixelData
from mmengine.visualization import LocalVisBackend, TensorboardVisBackend, Visualizer
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.structures import PoseDataSample
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.data import DataLoader, Dataset

from classicpose.skeletons import COCO17, OPENPOSE18
from custom_modules.engine import ModelGraphHook, PredictionImageHook

HEIGHT, WIDTH = 80, 120
GREY = 128
# The one keypoint that the test's people have; its colours differ between the body models.
PART = 5


class Images(Dataset):
    """Grey images, as an MMPose dataset gives them."""

    def __init__(self, paths, skeleton=OPENPOSE18):
        self.paths = [str(path) for path in paths]
        self.metainfo = parse_pose_metainfo(skeleton.metainfo())

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        size = np.array([WIDTH, HEIGHT], dtype=np.float32)
        window = {'input_size': (WIDTH, HEIGHT), 'input_scale': size, 'input_center': size / 2}
        metainfo = {'img_path': self.paths[index], 'id': [index], **window}
        return {
            'inputs': torch.full((3, HEIGHT, WIDTH), GREY, dtype=torch.uint8),
            'data_samples': PoseDataSample(metainfo=metainfo),
        }


class Head(nn.Conv2d):
    skeleton = OPENPOSE18


class Estimator(BaseModel):
    """A network with batch norm and dropout that sees each person of ``people`` where it is."""

    def __init__(self, people=(), with_maps=False, keypoints=18):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3, stride=8), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
        self.head = (Head if keypoints == 18 else nn.Conv2d)(4, keypoints, 1)
        self.people, self.with_maps, self.keypoints = people, with_maps, keypoints

    def forward(self, inputs, data_samples, mode='tensor'):
        if mode == 'predict':
            return [self.predict(sample) for sample in data_samples]
        if isinstance(inputs, list):
            inputs = torch.stack(inputs).float()
        maps = self.head(self.backbone(inputs))
        if mode == 'loss':
            return {'loss': maps.square().mean()}
        return {'stages': [(maps, maps * 2)], 'last': maps}

    def predict(self, sample):
        people = self.people[sample.id[0]] if isinstance(self.people, dict) else self.people
        keypoints = np.zeros((len(people), self.keypoints, 2), dtype=np.float32)
        scores = np.zeros((len(people), self.keypoints), dtype=np.float32)
        for index, point in enumerate(people):
            keypoints[index, PART] = point
            scores[index, PART] = 1
        sample.pred_instances = InstanceData(keypoints=keypoints, keypoint_scores=scores)
        if self.with_maps:
            heatmaps = torch.zeros(18, HEIGHT // 8, WIDTH // 8)
            heatmaps[3, 5, 7] = 1
            pafs = torch.zeros(38, HEIGHT // 8, WIDTH // 8)
            pafs[0, 5, 7] = 1
            sample.pred_fields = PixelData(heatmaps=heatmaps, pafs=pafs)
        return sample


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)

    def compute_metrics(self, results):
        return {'samples': len(results)}


@pytest.fixture
def images(tmp_path):
    """Two images that share their stem, and a third."""
    paths = [tmp_path / 'a' / 'x.jpg', tmp_path / 'b' / 'x.jpg', tmp_path / 'a' / 'y.jpg']
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), GREY, dtype=np.uint8))
    return paths


@pytest.fixture
def run(tmp_path, request):
    """Build a Runner that trains, validates or tests a model with one hook."""

    def build(model, dataset, hook):
        loader = DataLoader(dataset, batch_size=2, collate_fn=pseudo_collate)
        # Visualizers are looked up by name: one that an earlier test made would be taken again.
        return Runner(
            model,
            work_dir=str(tmp_path / 'work'),
            experiment_name=f'{request.node.name}_{id(loader)}',
            train_dataloader=loader,
            val_dataloader=loader,
            test_dataloader=loader,
            train_cfg={'by_epoch': True, 'max_epochs': 2, 'val_interval': 1},
            val_cfg={},
            test_cfg={},
            val_evaluator=[Count()],
            test_evaluator=[Count()],
            optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.01}},
            default_hooks={
                'checkpoint': None,
                'logger': {'type': 'LoggerHook', 'interval': 1, 'log_metric_by_epoch': False},
            },
            custom_hooks=[hook],
            visualizer={
                'type': Visualizer,
                'vis_backends': [{'type': LocalVisBackend}, {'type': TensorboardVisBackend}],
            },
        )

    return build


def events_of(runner):
    """What TensorBoard reads of a run."""
    runner.visualizer.close()
    return EventAccumulator(f'{runner.log_dir}/vis_data', size_guidance={'images': 0}).Reload()


def panel_of(runner):
    """The RGB panel of the one validated image, less its captions."""
    (event,) = events_of(runner).Images('val_x')
    panel = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    return panel[-320:, :, ::-1]


def colored(image):
    """(M, 2) positions (x, y) of what is not grey, beyond what JPEG does."""
    return np.argwhere(np.ptp(image.astype(int), axis=2) > 60)[:, ::-1]


class TestImagesOfTests:
    def test_one_file_an_image_with_its_people(self, run, images, tmp_path):
        people = {0: [(30, 40)], 1: [(70, 20)], 2: []}
        out_dir = tmp_path / 'out' / 'deep'
        run(Estimator(people), Images(images), PredictionImageHook(out_dir=str(out_dir))).test()
        assert sorted(path.name for path in out_dir.iterdir()) == ['x.jpg', 'x_2.jpg', 'y.jpg']
        for name, (point,) in (('x', people[0]), ('x_2', people[1])):
            image = cv2.imread(str(out_dir / f'{name}.jpg'))
            np.testing.assert_allclose(colored(image).mean(axis=0), point, atol=0.5)
        assert not len(colored(cv2.imread(str(out_dir / 'y.jpg'))))

    def test_maps_without_the_background(self, run, images, tmp_path):
        hook = PredictionImageHook(out_dir=str(tmp_path / 'out'), draw_maps=True)
        run(Estimator(with_maps=True), Images(images), hook).test()
        names = sorted(path.name for path in (tmp_path / 'out').iterdir())
        expected = 'x x_2 y x_heatmaps x_heatmaps_2 y_heatmaps x_pafs x_pafs_2 y_pafs'
        assert names == sorted(f'{name}.jpg' for name in expected.split())
        for kind in ('heatmaps', 'pafs'):
            image = cv2.imread(str(tmp_path / 'out' / f'y_{kind}.jpg'))
            # Cell (7, 5) of stride 8.
            np.testing.assert_allclose(colored(image).mean(axis=0), (59.5, 43.5), atol=1)

    def test_people_of_one_image_that_come_one_by_one_share_an_image(self, run, images, tmp_path):
        people = {0: [(30, 40)], 1: [(90, 40)]}
        hook = PredictionImageHook(out_dir=str(tmp_path / 'out'))
        run(Estimator(people), Images([images[0]] * 2), hook).test()
        assert [path.name for path in (tmp_path / 'out').iterdir()] == ['x.jpg']
        columns = colored(cv2.imread(str(tmp_path / 'out' / 'x.jpg')))[:, 0]
        assert (columns < 40).any()
        assert (columns > 80).any()

    def test_a_second_test_starts_afresh(self, run, images, tmp_path):
        hook = PredictionImageHook(out_dir=str(tmp_path / 'out'))
        model = Estimator([(30, 40)])
        runner = run(model, Images(images), hook)
        runner.test()
        model.people = [(90, 40)]
        runner.test()
        assert len(list((tmp_path / 'out').iterdir())) == 3
        assert colored(cv2.imread(str(tmp_path / 'out' / 'y.jpg')))[:, 0].min() > 60

    def test_writes_nothing_unless_asked(self, run, images, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        run(Estimator([(30, 40)]), Images(images), PredictionImageHook()).test()
        assert sorted(path.name for path in tmp_path.iterdir()) == ['a', 'b', 'work']


class TestImagesOfValidation:
    def test_first_image_and_every_interval_th_one_at_each_round(self, run, images):
        runner = run(Estimator([(30, 40)]), Images(images), PredictionImageHook(interval=2))
        runner.train()
        events = events_of(runner)
        assert sorted(events.Tags()['images']) == ['val_x', 'val_y']
        # Two batches an epoch, and a validation after each of two epochs.
        assert [event.step for event in events.Images('val_x')] == [2, 4]
        local = {path.name for path in Path(runner.log_dir, 'vis_data', 'vis_image').iterdir()}
        assert local == {'val_x_2.png', 'val_x_4.png', 'val_y_2.png', 'val_y_4.png'}

    def test_images_of_one_stem_have_a_slider_each(self, run, images):
        runner = run(Estimator(), Images(images), PredictionImageHook(interval=1))
        runner.train()
        events = events_of(runner)
        assert sorted(events.Tags()['images']) == ['val_x', 'val_x_2', 'val_y']
        assert len(events.Images('val_x_2')) == 2

    def test_maps_stand_beside_people_in_rgb(self, run, images):
        runner = run(Estimator([(30, 40)], with_maps=True), Images(images), PredictionImageHook())
        runner.val()
        panels = np.hsplit(panel_of(runner), 3)
        np.testing.assert_array_equal(panels[0][160, 120], OPENPOSE18.colors[PART])
        for panel in panels:
            assert len(colored(panel))

    def test_a_model_without_a_skeleton_is_drawn_with_the_datasets(self, run, images):
        runner = run(Estimator([(30, 40)], keypoints=17), Images(images, COCO17), PredictionImageHook())
        runner.val()
        np.testing.assert_array_equal(panel_of(runner)[160, 120], COCO17.colors[PART])


class TestModelGraph:
    def test_graph_and_losses_are_in_tensorboard(self, run, images):
        runner = run(Estimator(), Images(images), ModelGraphHook())
        runner.train()
        events = events_of(runner)
        nodes = {node.name: node for node in events.Graph().node}
        for module in ('backbone', 'BatchNorm2d', 'head'):
            assert any(module in name for name in nodes), module
        (outputs,) = nodes['output/output.1'].input
        assert len(nodes[outputs].input) == 3
        assert [event.step for event in events.Scalars('loss')] == [1, 2, 3, 4]

    def test_the_model_and_the_random_numbers_stay_as_they_are(self, run, images):
        model = Estimator()
        # As where a frozen stage's batch norm is in evaluation mode while the rest trains.
        model.train()
        model.backbone[1].eval()
        model.backbone[3].forward = lambda x: nn.functional.dropout(x, training=True)
        hook = ModelGraphHook()
        runner = run(model, Images(images), hook)
        batch = next(iter(runner.train_dataloader))
        state = copy.deepcopy(model.state_dict())
        modes = [module.training for module in model.modules()]
        random_state = torch.get_rng_state()

        hook.before_train(runner)
        hook.before_train_iter(runner, 0, batch)

        assert events_of(runner).Tags()['graph']
        assert torch.equal(torch.get_rng_state(), random_state)
        assert [module.training for module in model.modules()] == modes
        for name, value in model.state_dict().items():
            assert torch.equal(value, state[name]), name

    def test_a_model_that_cannot_be_traced_trains_with_one_warning(self, run, images, caplog, capsys):
        class Untraceable(Estimator):
            def forward(self, inputs, data_samples, mode='tensor'):
                if mode == 'tensor':
                    raise RuntimeError('not this way\nand more')
                return super().forward(inputs, data_samples, mode)

        runner = run(Untraceable(), Images(images), ModelGraphHook())
        runner.logger.addHandler(caplog.handler)
        runner.train()
        warnings = [r.getMessage() for r in caplog.records if r.levelname == 'WARNING']
        assert [line for line in warnings if 'graph' in line] == ['TensorBoard gets no model graph: not this way']
        assert 'No graph saved' not in capsys.readouterr().out
        assert not events_of(runner).Tags()['graph']
        assert runner.iter == 4
