"""Whatever translates, by what a path holds: our checkpoint, a network of the CycleGAN authors' code, or an ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from threatray.errors import ConfigError, DataError
from threatray.pipeline.stages.train_stage import CHECKPOINT, chosen_checkpoint
from threatray.synthesis.framed import FramedTranslator
from threatray.synthesis.framing import Pose
from threatray.synthesis.hardware import Runtime


def open_translator(
    path: Path, runtime: Runtime, class_names: Sequence[str], *, size: int = 256, whole: bool = False, threads: int = 1
) -> FramedTranslator:
    """Open what translates.

    Args:
        path: Folder of ``threatray train`` or a checkpoint in one, folder or ``.pth`` file of the CycleGAN code, or an ONNX file.
        runtime: What runs it.
        class_names: Of the photos, for networks that know none.
        size: Canvas of networks that do not say it: those of the CycleGAN code.
        whole: For these, whether photos are whole pictures instead of objects with masks.
        threads: Of onnxruntime.

    Raises:
        ConfigError: An ONNX file without ``--runtime onnx``, or the other way round.
        DataError: Nothing of these.
    """
    if runtime is Runtime.ONNX:
        from threatray.synthesis.onnx_translator import OnnxTranslator

        if path.suffix != ".onnx":
            raise ConfigError(
                f"translate: runtime onnx needs a file of `threatray export`, got {path}. Give model.onnx, or use runtime torch."
            )
        return OnnxTranslator.load(path, threads=threads)
    if path.suffix == ".onnx":
        raise ConfigError(f"translate: {path} is an ONNX model. Add --runtime onnx.")

    from threatray.synthesis.incumbent import looks_like_incumbent
    from threatray.synthesis.incumbent_models import incumbent_translator
    from threatray.synthesis.translate import Translator

    if (path / CHECKPOINT).is_file():
        return Translator.load(chosen_checkpoint(path))
    if path.is_file() and path.suffix == ".pt":
        return Translator.load(path)
    if looks_like_incumbent(path):
        return incumbent_translator(path, class_names, size=size, pose=Pose.WHOLE if whole else Pose.AS_IS)
    raise DataError(f"{path}: holds nothing that translates: expected {CHECKPOINT}, or latest_net_G_A.pth of the CycleGAN code.")
