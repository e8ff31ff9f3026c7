"""Translating with onnxruntime alone: nothing here imports torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from threatray.core import FloatArray
from threatray.errors import ConfigError, DataError
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.framed import FramedTranslator

METADATA: Final = "threatray"
"""Key under which an exported model keeps its settings, classes and channels as JSON."""

INPUTS: Final = ("photo", "mask", "class_index")
OUTPUT: Final = "encoded"


class OnnxTranslator(FramedTranslator):
    """A generator exported by ``threatray export``, run by onnxruntime.

    Args:
        session: An ``onnxruntime.InferenceSession``.
        config: Of the training.
        class_names: Classes it knows.
        channels: Channel names of what it makes.
        checkpoint: sha256 of the checkpoint it was exported from.
    """

    def __init__(self, session: Any, config: TrainConfig, class_names: list[str], channels: list[str], checkpoint: str) -> None:
        super().__init__(config, class_names, channels, checkpoint)
        self._session = session
        self._inputs = [one.name for one in session.get_inputs()]

    @classmethod
    def load(cls, path: Path, *, threads: int = 1) -> Self:
        """From a model file.

        Args:
            path: Of ``threatray export``.
            threads: Of onnxruntime.

        Raises:
            ConfigError: onnxruntime is not installed.
            DataError: Missing, broken, or not exported by threatray.
        """
        if not path.is_file():
            raise DataError(f"{path}: no such model. Export one with `threatray export`.")
        onnxruntime = _onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class of its own for each fault, in a private module
            raise DataError(f"{path}: not a readable ONNX model ({str(error).splitlines()[0][:200]}).") from None
        text = session.get_modelmeta().custom_metadata_map.get(METADATA)
        if text is None:
            raise DataError(f"{path}: was not exported by threatray, so nothing says how photos go in. Use `threatray export`.")
        said = json.loads(text)
        return cls(session, TrainConfig.from_json(said["config"]), said["class_names"], said["channels"], said["checkpoint"])

    def encoded(self, photos: FloatArray, class_index: NDArray[np.int64], batch_size: int) -> FloatArray:
        """What the network says the objects look like; means nothing outside the masks."""
        parts = []
        for start in range(0, len(photos), batch_size):
            some = slice(start, start + batch_size)
            given = dict(zip(INPUTS, (photos[some, :-1], photos[some, -1:], class_index[some]), strict=True))
            parts.append(self._session.run([OUTPUT], {name: given[name] for name in self._inputs})[0])
        size = self.config.size
        return np.concatenate(parts) if parts else np.ones((0, len(self.channels), size, size), np.float32)


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise ConfigError("translate: runtime onnx needs onnxruntime. Install it: pip install 'threatray[onnx]'.") from None
    return onnxruntime
