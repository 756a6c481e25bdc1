"""Everything that reads files from unknown people, each as a function of bytes and an empty folder.

``promise.check`` calls these functions. run.py feeds them with a fuzzer's input, and test_findings.py with
inputs that broke the promise once.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import struct
import tempfile
from pathlib import Path

import numpy as np

from promise import Finding, Target
import freqcnn_gluon  # noqa: F401  must be imported before MXNet
import mxnet as mx
import onnx
from made import report
from mxnet.gluon import Trainer, nn
from onnx import helper
from sound_seeds import encoded, films, sounds
from test_export import model

from data_prep.sound import audio
from data_prep import manifest, store
from data_prep.corpora import own
from data_prep.corpora import chains, enterface, ut_podcast
from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings, image
from freqcnn_gluon.training import checkpoint
from freqcnn_gluon.own.about import About, _checksum
from freqcnn_gluon.own.model import Model
from freqcnn_gluon.own.onnx_model import OnnxModel
from reproduce.runs.report import reports_in
from reproduce.render.table import markdown
from reproduce.runs.run import Run
from reproduce.tables import TABLES

CUT = b"\n%%\n"  # separates the files of a target that has several


# Tables


def _manifest(content: bytes, folder: Path) -> None:
    path = folder / "manifest.csv"
    path.write_bytes(content)
    frame = manifest.read(path)
    manifest.write(frame, folder / "again.csv")
    assert manifest.read(folder / "again.csv").equals(frame)
    for clip in manifest.clips(frame, folder / "root"):
        assert Path(os.path.normpath(clip[0])).is_relative_to(folder / "root")
        with contextlib.suppress(Faults):
            audio.load(*clip)


def _own(content: bytes, folder: Path) -> None:
    path = folder / "clips.csv"
    path.write_bytes(content)
    scan = own.scan(path)
    manifest.write(scan.manifest, folder / "again.csv")
    for clip in manifest.clips(scan.manifest, scan.root):
        with contextlib.suppress(Faults):
            audio.load(*clip)


@functools.cache
def _tables() -> list[bytes]:
    return [
        b"clip,path,start,stop,label,speaker,text,partition\na,x/a.wav,,,AU,s1,hello,train\n"
        b'"b, c",x/b.wav,0.5,1.75,UK,s2,,test\n',
        b"clip,path,start,stop,label,speaker,text,partition,fold,copies\r\na,a.wav,0,2,x,s,f01,,1,2\r\n",
        b"path,label\na.wav,cat\nb/c.flac,dog\n",
        b"\xef\xbb\xbflabel,path,speaker,start,stop,partition\nx,../a.wav,ann,0.5,2,train\ny,/b.wav,bob,,,test\n",
        # What spreadsheets, databases and pandas write.
        b"sep=;\r\nPath;Label;start;stop;;\r\na.wav;cat;0,5;1,25;;\r\n;;;;;\r\n",
        "path\tlabel\na.wav\ttr\u00e4urig\nb.wav\ttra\u0308urig\n".encode("utf-16"),
        b"path|label|split\na.wav|NaN|test\n",
        b'path,label,text\na.wav,x,"one\nb.wav,y,two\nc.wav,x,three"\nd.wav,y,"a ""b"" c"\n',
    ]


# Corpora: each line of the content is the path of a file.


def _corpus(module, content: bytes, folder: Path) -> None:
    root = folder / "root"
    root.mkdir()
    sound = encoded("WAV", "PCM_16", 1)
    for line in content[:4000].split(b"\n"):
        path = root / os.fsdecode(line)
        if os.path.normpath(path).startswith(f"{root}{os.sep}"):
            with contextlib.suppress(OSError, ValueError):  # not every path can be created
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(sound)
    scan = module.scan(root)
    for fault in scan.faults:
        if str(root) not in fault:
            raise Finding(f"a fault names no file: {fault!r}")
    if not scan.faults:
        manifest.write(scan.manifest, folder / "manifest.csv")
        assert all((root / path).exists() for path in scan.manifest["path"])
        assert set(scan.manifest["label"]) <= set(module.LABELS) or module is chains


@functools.cache
def _layouts() -> list[bytes]:
    return [
        b"audio/train/AU/AU-1__1.wav\naudio/train/UK/UK-1_1__2.wav\naudio/train/US/US-3__1.WAV\n"
        b"audio/test/AU/AU-1__1.wav\naudio/test/UK/UK-7__1.wav\naudio/test/US/.US-1__1.wav\naudio/test/US/US-9_1.wav",
        b"data/solo/frf01/frf01_f01_solo.wav\ndata/solo/frf01/frf01_s01_solo.wav\ndata/solo/irm16/irm16_s33_solo.wav",
        b"solo/data/solo/FRF02/frf02_F03_solo.WAV",
        b"subject 1/anger/sentence 1/s1_an_1.avi\nsubject 1/happiness/sentence 2/a.avi\n"
        b"enterface database/Subject 2/fear/sentence 3/x.AVI\nsubject 2/anger/Thumbs.db",
    ]


# Sound


def _sound(name: str, content: bytes, folder: Path) -> None:
    path = folder / name
    path.write_bytes(content)
    audio.rate_of(path)
    audio.seconds(path)
    samples = audio.read(path, 16000)
    assert np.isfinite(samples).all() and samples.ndim == 1
    assert np.isfinite(image(samples, ImageSettings(16))).all()


# Models. The checksum is made to match the mutated content, because anybody can compute a checksum.


@functools.cache
def _model() -> tuple[bytes, bytes]:
    """Return model.json and model.safetensors of a small network."""
    with tempfile.TemporaryDirectory() as aside:
        made = model()
        made.save(aside)
        return tuple((Path(aside) / name).read_bytes() for name in ("model.json", "model.safetensors"))


def _signed(content: bytes, **changed: str) -> bytes:
    """Return a description with a matching checksum, if it is a JSON object at all."""
    try:
        stated = json.loads(content)
        stated.pop("checksum", None)
        stated |= changed
        return json.dumps(stated | {"checksum": _checksum(stated)}).encode()
    except (ValueError, AttributeError, RecursionError, UnicodeError):
        return content


def _description(content: bytes, folder: Path) -> None:
    (folder / "model.json").write_bytes(_signed(content))
    (folder / "model.safetensors").write_bytes(_model()[1])
    Model.load(folder, "cpu")


def _weights(content: bytes, folder: Path) -> None:
    """Read a weights file whose header is the content, followed by enough values."""
    description, weights = _model()
    values = len(weights) - 8 - struct.unpack("<Q", weights[:8])[0]
    content = struct.pack("<Q", len(content)) + content + weights[-values:]
    (folder / "model.safetensors").write_bytes(content)
    (folder / "model.json").write_bytes(_signed(description, weights=hashlib.sha256(content).hexdigest()))
    Model.load(folder, "cpu")


@functools.cache
def _descriptions() -> list[bytes]:
    return [_model()[0]]


@functools.cache
def _headers() -> list[bytes]:
    weights = _model()[1]
    return [weights[8 : 8 + struct.unpack("<Q", weights[:8])[0]]]


def _onnx(content: bytes, folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(content)
    onnx_model = OnnxModel(path)
    size = onnx_model.about.images.size
    if size <= 256:  # larger images take long, and that is not the file's fault
        assert onnx_model.probabilities(np.zeros((2, size, size))).shape == (2, len(onnx_model.about.labels))


@functools.cache
def _onnx_files() -> list[bytes]:
    """Return the smallest file of the kind that ``export`` writes: a mean and a layer."""
    about = About(("a", "b", "c"), "table7", ImageSettings(16), 1.5, 3.0)
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probability"]),
    ]
    inputs = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["batch", 1, 16, 16])
    outputs = helper.make_tensor_value_info("probability", onnx.TensorProto.FLOAT, ["batch", 3])
    weight = helper.make_tensor("weight", onnx.TensorProto.FLOAT, [1, 3], [1.0, 2.0, 3.0])
    graph = helper.make_graph(nodes, "net", [inputs], [outputs], [weight])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    made.ir_version = 8
    helper.set_model_props(made, {"freqcnn": about.text()})
    return [made.SerializeToString()]


# Stores


def _store(content: bytes, folder: Path) -> None:
    """Read a store of two images; the content is settings.json, index.csv and rows.csv."""
    for name, part in zip(("settings.json", "index.csv", "rows.csv"), (content + 2 * CUT).split(CUT)):
        (folder / name).write_bytes(part)
    (folder / "images.f32").write_bytes(bytes(2 * 4 * 16**2))
    built = store.Store(folder)
    for clip in built.index["clip"]:
        assert built.images[built.rows([clip])].shape == (1, 16, 16)
        built.keys([clip])


@functools.cache
def _stores() -> list[bytes]:
    settings = json.dumps({**vars(ImageSettings(16)), "format": store.FORMAT}).encode()
    keys = [hashlib.sha256(content).hexdigest().encode() for content in (b"0", b"1")]
    index = b"clip,row,key\na,1," + keys[1] + b"\nb,0," + keys[0] + b"\n"
    return [CUT.join([settings, index, b"\n".join([*keys, b""])])]


# Results


def _report(content: bytes, folder: Path) -> None:
    """Read a report in the folder that its own run names, if it names one."""
    source = folder / "paper"
    path = source / "table03" / "x" / "report.json"
    with contextlib.suppress(Exception):
        own = Run(**json.loads(content)["run"]).folder(folder) / "report.json"
        if os.path.normpath(own).startswith(f"{source}{os.sep}"):
            path = own
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    (source / "table03.json").write_text(json.dumps([os.path.relpath(path, source)]))
    markdown(TABLES[3], reports_in(source, 3))


@functools.cache
def _reports() -> list[bytes]:
    reports = [report(confusion=((3, 1, 0), (0, 1, 0), (0, 1, 2))) for _ in range(2)]
    reports[1].content.update(history=[], measures={"1-EER": 0.5, "threshold": 0.1, "targets": 3})
    return [json.dumps(made.content, indent=1).encode() for made in reports]


def _listed(content: bytes, folder: Path) -> None:
    for made in (report(), report("CNN")):
        path = folder / "paper" / made.link
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(made.content))
    (folder / "paper" / "table03.json").write_bytes(content)
    reports_in(folder / "paper", 3)


@functools.cache
def _lists() -> list[bytes]:
    return [json.dumps([report().link, report("CNN").link], indent=1).encode()]


# Checkpoints


def _training(folder: Path):
    net = nn.HybridSequential()
    net.add(nn.Dense(3, in_units=2), nn.BatchNorm(in_channels=3))
    net.initialize()
    return checkpoint.Checkpoint(
        folder, net, Trainer(net.collect_params(), "sgd", {"momentum": 0.9}), [mx.cpu()]
    )


def _checkpoint(content: bytes, folder: Path) -> None:
    """Read a checkpoint; the content is checkpoint.json and the headers of its two binary files."""
    text, *headers = (content + 2 * CUT).split(CUT)[:3]
    names = ("epoch-0000-00001.safetensors", "epoch-0000-00001-momentum.safetensors")
    for name, header in zip(names, headers):
        ends = [int(end) for end in re.findall(rb'"data_offsets":\[\d{1,6},(\d{1,6})\]', header)]
        values = bytes(max(ends, default=0))
        (folder / name).write_bytes(struct.pack("<Q", len(header)) + header + values)
    with contextlib.suppress(Exception):
        stated = json.loads(text)
        stated["files"] = {
            name: hashlib.sha256((folder / Path(name).name).read_bytes()).hexdigest()
            for name in stated["files"]
        }
        text = json.dumps(stated).encode()
    (folder / "checkpoint.json").write_bytes(text)
    _training(folder).load(10, {"epoch", "loss", "accuracy", "seconds", "test"})


@functools.cache
def _checkpoints() -> list[bytes]:
    with tempfile.TemporaryDirectory() as aside:
        interval, checkpoint.SECONDS_BETWEEN = checkpoint.SECONDS_BETWEEN, 0
        try:
            made = _training(Path(aside))
            made.trainer._updaters[0].states = {
                number: mx.nd.zeros(weight.shape) for number, weight in enumerate(made.trainer._params)
            }
            made.save(checkpoint.Place(left_over=[3, 1], batches=1, loss=0.5, correct=2, seconds=0.1))
        finally:
            checkpoint.SECONDS_BETWEEN = interval
        parts = [(Path(aside) / "checkpoint.json").read_bytes()]
        for name in json.loads(parts[0])["files"]:
            binary = (Path(aside) / name).read_bytes()
            parts.append(binary[8 : 8 + struct.unpack("<Q", binary[:8])[0]])
    return [CUT.join(parts)]


TARGETS = {
    "manifest": Target(_manifest, _tables),
    "own": Target(_own, _tables),
    "ut_podcast": Target(functools.partial(_corpus, ut_podcast), _layouts),
    "chains": Target(functools.partial(_corpus, chains), _layouts),
    "enterface": Target(functools.partial(_corpus, enterface), _layouts),
    "sound": Target(functools.partial(_sound, "a.wav"), sounds),
    "film": Target(functools.partial(_sound, "a.avi"), films),
    "description": Target(_description, _descriptions),
    "weights": Target(_weights, _headers),
    "onnx": Target(_onnx, _onnx_files),
    "store": Target(_store, _stores),
    "report": Target(_report, _reports),
    "list": Target(_listed, _lists),
    "checkpoint": Target(_checkpoint, _checkpoints),
}
