"""Translating photos: the published generator run eagerly against every way that is here, turn by turn, on the same weights and photos.

    python benchmarks/translate.py                      # 128 px, 9 blocks, width 64
    python benchmarks/translate.py --wall --threads 2   # on a quiet machine
    python benchmarks/translate.py --no-bf16 --int8     # processors without bf16 instructions; 8-bit convolutions by onnxruntime as well

The weights are drawn, then trained for a few steps if ``--steps`` says so; speed does not depend on them, the difference in grey levels
does somewhat. Time is processor time (``--wall``: the clock). The difference is that of the 8-bit picture's level before rounding.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from plain_cyclegan import Generator

from threatray.synthesis import onnx_export
from threatray.synthesis.config import Preset, TrainConfig
from threatray.synthesis.encoding import Encoding
from threatray.synthesis.hardware import Precision
from threatray.synthesis.networks import MaskedGenerator
from threatray.synthesis.onnx_export import export_onnx
from threatray.synthesis.onnx_translator import OnnxTranslator
from threatray.synthesis.paper_config import Condition, PaperNetworks
from threatray.synthesis.presets import nets_of
from threatray.synthesis.translate import Translator


def translator_of(plain, options, precision):
    paper = PaperNetworks(width=options.width, blocks=options.blocks)
    config = TrainConfig(preset=Preset.PAPER, size=options.size, condition=Condition.NONE, paper=paper, encoding=Encoding(1.0))
    generator = nets_of(config, 3, 1, 0).gen_ab.requires_grad_(False)
    assert isinstance(generator, MaskedGenerator)
    generator.core.load_state_dict(plain.state_dict())
    generator.precision = precision
    return Translator(generator, config, ("object",), ("red", "green", "blue"), "")


def smooth_photos(options):
    """Blurred noise: photos are smooth, white noise is not."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(options.photos, 3, options.size // 8, options.size // 8, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=options.size, mode="bicubic").clamp(-1, 1)


def eight_bit(fp32, given, path):
    """Convolutions in 8 bits: activations by their range on these photos, kernels a channel, 7 bits where VNNI is missing."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Photos(CalibrationDataReader):
        def __init__(self):
            self.left = iter(given)

        def get_next(self):
            one = next(self.left, None)
            return None if one is None else {"photo": one[None, :3], "mask": one[None, 3:], "class_index": np.zeros(1, np.int64)}

    with mock.patch.object(onnx_export, "fewer_multiplications"):
        export_onnx(fp32, path)
    settings = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "reduce_range": True}
    quantize_static(path, path, Photos(), per_channel=True, op_types_to_quantize=["Conv"], **settings)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--photos", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--wall", action="store_true")
    parser.add_argument("--no-bf16", action="store_true")
    parser.add_argument("--int8", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    plain = Generator(3, 3, options.width, options.blocks).eval().requires_grad_(False)
    for name, value in plain.named_parameters():
        if name.endswith("weight"):
            torch.nn.init.normal_(value, 0.0, 0.02)
    photos = smooth_photos(options)
    given = torch.cat([photos, torch.ones(options.photos, 1, options.size, options.size)], 1).numpy()
    classes = np.zeros(options.photos, np.int64)
    fp32, bf16 = (translator_of(plain, options, precision) for precision in Precision)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        export_onnx(fp32, path)
        onnx = OnnxTranslator.load(path, threads=options.threads)
        ways = {"published, eager torch fp32": lambda: run_plain(plain, photos)}
        for batch in (1, options.photos):
            ways[f"ours fp32, {batch} at a time"] = lambda batch=batch: fp32.encoded(given, classes, batch)
            if not options.no_bf16:
                ways[f"ours bf16, {batch} at a time"] = lambda batch=batch: bf16.encoded(given, classes, batch)
            ways[f"onnxruntime fp32, {batch} at a time"] = lambda batch=batch: onnx.encoded(given, classes, batch)
        if options.int8:
            eight_bit(fp32, given, Path(scratch) / "eight.onnx")
            eight = OnnxTranslator.load(Path(scratch) / "eight.onnx", threads=options.threads)
            ways["onnxruntime int8, 1 at a time"] = lambda: eight.encoded(given, classes, 1)
        clock = time.perf_counter if options.wall else time.process_time
        truth, times = ways["published, eager torch fp32"](), {name: [] for name in ways}
        far = {name: np.abs(run() - truth) * 127.5 for name, run in ways.items()}  # also warms up
        for _ in range(options.rounds):
            for name, run in ways.items():
                began = clock()
                run()
                times[name].append((clock() - began) / options.photos)
    base = times["published, eager torch fp32"]
    print(f"{options.size} px, {options.blocks} blocks, width {options.width}, {options.threads} thread(s), torch {torch.__version__}")
    print("| way | ms a photo | times published | least .. most | largest / mean difference, grey levels |\n|---|---|---|---|---|")
    for name, each in times.items():
        ratios = sorted(one / other for one, other in zip(base, each, strict=True))
        middle = statistics.median(each)
        ratio = statistics.median(base) / middle
        difference = f"{far[name].max():.3f} / {far[name].mean():.4f}"
        print(f"| {name} | {middle * 1e3:.0f} | {ratio:.2f} | {ratios[0]:.2f} .. {ratios[-1]:.2f} | {difference} |")


def run_plain(plain, photos):
    with torch.inference_mode():
        return torch.cat([plain(photo) for photo in photos.split(1)]).numpy()


if __name__ == "__main__":
    main()
