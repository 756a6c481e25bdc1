"""``python -m freqcnn_gluon``: the network from the command line, for anybody's recordings."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from data_prep.base.commands import natural, positive, resumable, with_plain_errors
from data_prep.base.faults import Faults, note
from freqcnn_gluon.training.workers import NEEDED

FEW = 100  # steps of training after which BatchNorm's running statistics are those of the trained network


@with_plain_errors
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(
        prog="python -m freqcnn_gluon",
        description="FreqCNN on your own recordings: train it, measure it, use it, look into it, take it "
        "elsewhere.",
        epilog="examples:\n"
        "  python -m freqcnn_gluon fit recordings/ --out model/\n"
        "  python -m freqcnn_gluon predict model/ new.wav\n"
        "each command has examples of its own: python -m freqcnn_gluon fit --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_fit(commands)
    _add_evaluate(commands)
    _add_predict(commands)
    _add_explain(commands)
    _add_export(commands)
    _add_describe(commands)
    _add_launch(commands)
    options = parser.parse_args(arguments)
    return options.run(options)


def _command(commands, name: str, run, summary: str, more: str, *examples: str) -> argparse.ArgumentParser:
    added = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}. {more}",
        epilog="\n  ".join(["examples:", *(f"python -m freqcnn_gluon {name} {each}" for each in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added.set_defaults(run=run)
    return added


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", type=Path, metavar="MODEL", help="the folder that `fit` wrote")


def _add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", default="auto", help="auto, cpu, gpu, or numbers as in gpu:0")


def _add_jobs(command: argparse.ArgumentParser) -> None:
    command.add_argument("--jobs", type=positive, help="processes that read audio (default: one a core)")


def _add_runtime(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--runtime",
        choices=("mxnet", "onnx"),
        help="what runs the network; onnx needs no MXNet (default: onnx for an ONNX file, else mxnet)",
    )
    _add_device(command)
    _add_jobs(command)


def _add_fit(commands) -> None:
    command = _command(
        commands,
        "fit",
        _fit,
        "train a network on labelled recordings",
        "A part of them is held out, whole speakers\nwhere they are known, and the network is measured on "
        "it. A stopped command goes on when\nit is given again.",
        "recordings/ --out model/",
        "clips.csv --out model/ --architecture table10 --epochs 40 --log-dir logs/",
        "recordings/ --out model/ --size 224 --device gpu:0   # the paper's size",
    )
    command.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="a folder with a folder of recordings for each label, or a CSV file with the columns path and "
        "label, and, if you have them, speaker, partition (train or test), start and stop (s)",
    )
    command.add_argument("--out", type=Path, required=True, metavar="MODEL", help="folder for the model")
    command.add_argument(
        "--architecture", default="table7", help="table2, table7 (the smallest) or table10 (default: table7)"
    )
    command.add_argument(
        "--size", type=int, default=64, help="side of the spectrograms in pixels (default: 64)"
    )
    command.add_argument("--epochs", type=int, default=20, help="rounds through the data (default: 20)")
    command.add_argument("--batch-size", type=int, default=16, help="clips a step (default: 16)")
    command.add_argument("--learning-rate", type=float, default=0.01, help="of SGD (default: 0.01)")
    command.add_argument("--seed", type=int, default=0, help="of the split and the training (default: 0)")
    command.add_argument(
        "--test-share", type=float, default=0.2, help="share of the clips to hold out (default: 0.2)"
    )
    command.add_argument("--log-dir", type=Path, help="folder for TensorBoard's logs")
    _add_device(command)
    _add_jobs(command)


def _fit(options: argparse.Namespace) -> None:
    from freqcnn_gluon.own.fit import Recipe, fit
    from freqcnn_gluon.own.output import measured

    recipe = Recipe(
        options.architecture,
        options.size,
        options.epochs,
        options.batch_size,
        options.learning_rate,
        options.seed,
    )
    how = options.test_share, options.device, options.jobs, options.log_dir
    with resumable(options.out):
        fit(options.data, options.out, recipe, *how)
    report = json.loads((options.out / "report.json").read_text(encoding="utf-8"))
    last = report["history"][-1]
    right = f"{100 * last['accuracy']:.1f} % of them right in the end"
    print(f"{report['clips']['train']} clips were trained on, {right}.")
    print(report["split"], end="\n\n")
    print(measured(report["metrics"], report["labels"], "that it was not trained on"))
    print(f"\nthe model: {options.out}")
    steps = report["clips"]["train"] * recipe.epochs // min(recipe.batch_size, report["clips"]["train"])
    if steps < FEW:
        print(
            f"note: {steps} steps are few for BatchNorm, whose statistics the network is used with: give "
            f"--epochs {-(-FEW * recipe.epochs // max(1, steps))} or more, in another folder"
        )


def _add_evaluate(commands) -> None:
    command = _command(
        commands,
        "evaluate",
        _evaluate,
        "measure a model on labelled recordings",
        "Clips that it was trained on are left out,\nand cuts that overlap them.",
        "model/ other-recordings/",
        "model/ clips.csv --csv predictions.csv",
    )
    _add_recogniser(command)
    command.add_argument(
        "data", type=Path, metavar="DATA", help="a folder of folders, or a CSV, as for `fit`"
    )
    command.add_argument("--csv", type=Path, metavar="FILE", help="write what it said of each clip")
    _add_runtime(command)


def _add_recogniser(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", type=Path, metavar="MODEL", help="the folder of `fit`, or an ONNX file")


def _evaluate(options: argparse.Namespace) -> None:
    from data_prep.base.files import whole
    from freqcnn_gluon.own.about import trained_on
    from freqcnn_gluon.own.output import measured
    from freqcnn_gluon.own.predict import evaluate, write

    model = _recogniser(options)
    known = trained_on(options.model)
    found = evaluate(model, options.data, known, options.jobs)
    if found.known:
        print(f"{found.known} clips are left out, since the model was trained on what is in them.\n")
    if known is None:
        print(f"{options.model} does not say what it was trained on: such clips count too.\n")
    print(measured(found.metrics, model.about.labels, f"of {options.data}"))
    if options.csv:
        with whole(options.csv) as path:
            write(found.clips, path)


def _recogniser(options: argparse.Namespace):
    """The model in the runtime that was asked for."""
    path = options.model
    runtime = options.runtime or ("onnx" if path.suffix == ".onnx" else "mxnet")
    if runtime == "onnx":
        from freqcnn_gluon.own.onnx_model import OnnxModel

        if options.device not in ("auto", "cpu"):
            raise Faults(f"--device {options.device}: what is not MXNet's runs on the CPU here; leave it out")
        return OnnxModel(path / "model.onnx" if path.is_dir() else path)
    from freqcnn_gluon.own.model import Model

    return Model.load(path, options.device)


def _add_predict(commands) -> None:
    command = _command(
        commands,
        "predict",
        _predict,
        "say which label a recording has",
        "Longer ones than those that the model was\ntrained on are cut into windows, each with its times.",
        "model/ a.wav b.mp3",
        "model/ recordings/ --csv > labels.csv",
        "model/ - < talk.wav",
        "model.onnx a.wav   # without MXNet",
    )
    _add_recogniser(command)
    command.add_argument(
        "files", nargs="+", metavar="FILE", help="recordings, folders of them, or - for standard input"
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object a line for each recording")
    form.add_argument("--csv", action="store_true", help="CSV, a line for each recording and window")
    _add_runtime(command)


def _predict(options: argparse.Namespace) -> int:
    from freqcnn_gluon.own.output import as_csv, as_json, as_text
    from freqcnn_gluon.own.predict import predictions

    model = _recogniser(options)
    labels, faulty = model.about.labels, False
    write = as_json if options.json else as_csv(labels) if options.csv else as_text
    with tempfile.TemporaryDirectory() as aside:
        names, paths = _files(options.files, Path(aside))
        for name, path, said in zip(names, paths, predictions(model, paths, options.jobs)):
            if isinstance(said, Faults):
                faulty = True
                print(f"error: {said}".replace(str(path), name), file=sys.stderr, flush=True)
            else:
                write(name, said, labels)
                sys.stdout.flush()
    return int(faulty)


def _files(asked: Sequence[str], aside: Path) -> tuple[list[str], list[Path]]:
    """Names to tell the recordings by, and where they are; standard input becomes a file in ``aside``."""
    from data_prep.corpora.own import passed_over, recordings

    names, paths = [], []
    for each in asked:
        if each == "-":
            path = aside / "standard input"
            with open(path, "wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            found = [path]
        elif Path(each).is_dir():
            found, others = recordings(Path(each))
            if others:
                note(passed_over(Path(each), others))
            if not found:
                raise Faults(f"{each}: holds no recordings; name a file, or a folder that holds some")
        else:
            found = [Path(each)]
        names += [each] if each == "-" else map(str, found)
        paths += found
    return names, paths


def _add_explain(commands) -> None:
    command = _command(
        commands,
        "explain",
        _explain,
        "show which bands and feature maps the attention weights",
        "A picture over the spectrogram,\nand the mean weight of each band (Eqs. 9 to 11).",
        "model/ a.wav --out a.png",
    )
    _add_model(command)
    command.add_argument("file", type=Path, metavar="FILE", help="a recording; it is taken whole")
    command.add_argument("--out", type=Path, metavar="PNG", help="the picture (default: FILE-attention.png)")
    _add_device(command)


def _explain(options: argparse.Namespace) -> None:
    from data_prep.sound import audio
    from data_prep.sound.spectrogram import image
    from freqcnn_gluon.network.explain import attended, draw
    from freqcnn_gluon.own.model import Model
    from freqcnn_gluon.own.output import likely

    model = Model.load(options.model, options.device)
    settings = model.about.images
    samples = audio.read(options.file, settings.rate)
    picture = image(samples, settings)
    found = attended(model.net, picture)
    said = likely(model.probabilities(picture[None])[0], model.about.labels)
    out = options.out or options.file.with_name(f"{options.file.stem}-attention.png")
    seconds, top = len(samples) / settings.rate, settings.rate / 2
    draw(picture, found, f"{options.file.name}: {said}", out, seconds, top)
    print(f"{options.file}: {said}")
    for one in found:
        print(f"block {one.block}: {one.summary(seconds, top)}")
    print(f"the picture: {out}")


def _add_export(commands) -> None:
    command = _command(
        commands,
        "export",
        _export,
        "write a model for programs without MXNet or without this package",
        "The ONNX file takes\nany number of spectrograms and gives probabilities; labels and feature "
        "settings are in its\nmetadata. `predict` runs it without MXNet.",
        "model/ --onnx model.onnx",
        "model/ --symbol exported/model   # -symbol.json and -0000.params",
    )
    _add_model(command)
    form = command.add_mutually_exclusive_group(required=True)
    form.add_argument("--onnx", type=Path, metavar="FILE", help="an ONNX file")
    form.add_argument("--symbol", type=Path, metavar="PREFIX", help="MXNet's own symbol and parameters")


def _export(options: argparse.Namespace) -> None:
    from freqcnn_gluon.own.export import to_onnx, to_symbol
    from freqcnn_gluon.own.model import Model

    model = Model.load(options.model, "cpu")
    if options.onnx:
        apart = to_onnx(model, options.onnx)
        print(f"{options.onnx}: its probabilities differ from MXNet's by {apart:.1e} at the most")
    else:
        print(*to_symbol(model, options.symbol))


def _add_describe(commands) -> None:
    command = _command(
        commands,
        "describe",
        _describe,
        "print an architecture in its table's own rows",
        "With output shapes and parameter counts.",
        "table7 --size 64 --segments 4",
    )
    command.add_argument("architecture", help="table2, table7 or table10")
    command.add_argument("--classes", type=positive, help="width of the softmax (default: the paper's)")
    command.add_argument(
        "--size", type=positive, help="side of the spectrogram in pixels (default: the paper's)"
    )
    command.add_argument("--segments", type=natural, default=2, help="parts of each split, n (default: 2)")


def _describe(options: argparse.Namespace) -> None:
    from freqcnn_gluon.network.architectures import architecture
    from freqcnn_gluon.network.describe import describe, parameter_count
    from freqcnn_gluon.network.freqcnn import FreqCNN
    from freqcnn_gluon.own.output import table

    chosen = architecture(options.architecture)
    net = FreqCNN(chosen, classes=options.classes, size=options.size, segments=options.segments)
    rows = describe(net)
    rows["Parameters"] = rows["Parameters"].map("{:,}".format)
    print(f"FreqCNN for {chosen.title}; input 1 × {net.size} × {net.size} (channels × frequency × time)\n")
    print(table(rows))
    print(f"\n{parameter_count(net):,} parameters")


def _add_launch(commands) -> None:
    command = _command(
        commands,
        "launch",
        _launch,
        "train the paper's tables on several machines",
        "Starts COMMAND as a worker on\nevery host, and the scheduler and the server that join them on the "
        "first. Each worker takes its\nshare of every batch. 'localhost' is a process on this machine; any "
        "other host is reached by ssh\nwithout a password and has this folder, environment, data and results "
        "at the same place, on\nstorage that all share. When a process dies all are ended, and the same "
        "command goes on from\nthe last checkpoint. A cluster's own manager may start the roles instead: it "
        "sets DMLC_ROLE,\n" + ", ".join(NEEDED) + "; scheduler\nand server run "
        "`python -c 'import freqcnn_gluon, mxnet'`.",
        "--hosts localhost,gpu2 -- .venv/bin/python -m reproduce table 3 --device gpu",
    )
    command.add_argument(
        "--hosts", required=True, help="where the workers run, with commas between; localhost may recur"
    )
    command.add_argument("--port", type=positive, help="the scheduler's port (default: a free one)")
    command.add_argument(
        "command", nargs="+", metavar="COMMAND", help="`… -m reproduce table` or `sensitivity`, after --"
    )


def _launch(options: argparse.Namespace) -> None:
    from freqcnn_gluon.training.launch import launch

    hosts = [host.strip() for host in options.hosts.split(",") if host.strip()]
    with resumable():
        launch(hosts, options.command, options.port)


if __name__ == "__main__":
    raise SystemExit(main())
