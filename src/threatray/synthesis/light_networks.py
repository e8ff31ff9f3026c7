"""Networks for minutes on a laptop: most of the work on a quarter of the canvas's side, class and position known, no normalisation.

Instance normalisation takes its statistics over a canvas that is mostly blank, which makes an object's brightness depend on its size and
throws away absolute density; these nets have none and are kept stable by small residual branches instead.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import nn
from torch.nn import functional

CONTRAST_GAIN: Final = 5.0
DETAIL_GAIN: Final = 3.0
PARTS: Final = 8


class _Block(nn.Module):
    """x + conv(act(conv(act(x) + class bias))); the last convolution starts small."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.bias = nn.Embedding(classes, channels)

    def forward(self, x: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        hidden = functional.leaky_relu(x, 0.2) + self.bias(class_index)[:, :, None, None]
        hidden = functional.leaky_relu(self.first(hidden), 0.2, inplace=True)
        result: torch.Tensor = x + self.second(hidden)
        return result


def _with_position(x: torch.Tensor) -> torch.Tensor:
    """Append planes of x and y in [-1, 1]: on an upright canvas the place says much about the part."""
    height, width = x.shape[2:]
    rows = torch.linspace(-1.0, 1.0, height)[:, None].expand(height, width)
    columns = torch.linspace(-1.0, 1.0, width)[None].expand(height, width)
    return torch.cat([x, torch.stack([rows, columns]).expand(x.shape[0], 2, height, width)], 1)


def _contrasts(channels: int) -> torch.Tensor:
    """Rows: the mean of the channels, then their orthonormal differences, enlarged.

    Channels of one image are nearly equal, and what tells materials apart is the small rest: as it comes, a network takes minutes to
    see it.
    """
    rows = [torch.full((channels,), 1.0 / channels)]
    for place in range(1, channels):
        row = torch.zeros(channels)
        row[:place], row[place] = 1.0, -float(place)
        rows.append(CONTRAST_GAIN * row / row.norm())
    return torch.stack(rows)


class _Folded(nn.Module):
    """What the light networks see: half the side, four times the planes; blank canvas and padding are 0.

    Args:
        inputs: Channels with the mask.
        details: Add what differs from the neighbourhood, enlarged: fine structure is a small part of an image's variance.
    """

    def __init__(self, inputs: int, *, details: bool) -> None:
        super().__init__()
        self.details = details
        self.planes = 4 * (2 * (inputs - 1) + 1 if details else inputs)
        self.register_buffer("contrasts", _contrasts(inputs - 1)[:, :, None, None], persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        image, mask = x[:, :-1], x[:, -1:]
        image = functional.conv2d(image, self.get_buffer("contrasts")) * mask
        parts = [image, mask]
        if self.details:
            covered = functional.avg_pool2d(mask, 3, 1, 1).clamp(min=0.1)
            parts.append(DETAIL_GAIN * mask * (image - functional.avg_pool2d(image, 3, 1, 1) / covered))
        return functional.pixel_unshuffle(torch.cat(parts, 1), 2)


class LightGenerator(nn.Module):
    """Fold the canvas to half and quarter side, think there, unfold with one skip at half side.

    Args:
        inputs: Input channels with the mask.
        outputs: Output channels.
        classes: Number of classes, at least 1.
        width: Channels at quarter side.
        stem: Channels at half side.
        blocks: Residual blocks at quarter side.

    Example:
        >>> net = LightGenerator(4, 2, classes=3, width=8, stem=4, blocks=1)
        >>> net(torch.zeros(1, 4, 16, 16), torch.tensor([2])).shape
        torch.Size([1, 2, 16, 16])
    """

    conditional = True

    def __init__(self, inputs: int, outputs: int, *, classes: int, width: int = 64, stem: int = 24, blocks: int = 4) -> None:
        super().__init__()
        self.folded = _Folded(inputs, details=False)
        self.stem = nn.Conv2d(self.folded.planes, stem, 3, padding=1)
        self.down = nn.Conv2d(stem + 2, width, 4, stride=2, padding=1)
        self.blocks = nn.ModuleList(_Block(width, classes) for _ in range(blocks))
        self.up = nn.Conv2d(width, 4 * stem, 1)
        self.merge = nn.Conv2d(2 * stem, stem, 3, padding=1)
        self.out = nn.Conv2d(stem, 4 * outputs, 3, padding=1)

    def forward(self, x: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """(N, inputs, S, S) and (N,) classes to (N, outputs, S, S) in [-1, 1]; S a multiple of 4."""
        _, merged = self._thought(x, class_index)
        return torch.tanh(functional.pixel_shuffle(self.out(merged), 2))

    def _thought(self, x: torch.Tensor, class_index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What is known of the object at a quarter of the side, and that with the stem's fine view at half of it."""
        fine = functional.leaky_relu(self.stem(self.folded(x)), 0.2)
        coarse = self.down(_with_position(fine))
        for block in self.blocks:
            coarse = block(coarse, class_index)
        coarse = functional.leaky_relu(coarse, 0.2)
        risen = functional.pixel_shuffle(self.up(coarse), 2)
        return coarse, functional.leaky_relu(self.merge(torch.cat([risen, fine], 1)), 0.2)

    def features(self, x: torch.Tensor, class_index: torch.Tensor) -> list[torch.Tensor]:
        """What CUT compares: the folded pixels, the stem, the quarter side and the last block.

        The position planes are left blank: who knows the place of a patch recognises it whatever it shows.
        """
        folded = self.folded(x)
        fine = functional.leaky_relu(self.stem(folded), 0.2)
        coarse = thought = self.down(functional.pad(fine, (0, 0, 0, 0, 0, 2)))
        for block in self.blocks:
            thought = block(thought, class_index)
        return [folded, fine, coarse, thought]


class PartsGenerator(LightGenerator):
    """A generator that draws an object as a few parts, each of nearly one density.

    An X-ray of a thing is smooth but for the borders of its parts. A generator free in every pixel satisfies its discriminator, and carries
    the photo's brightness to the way back, by fine texture; this one has little to give. Every pixel is shared out among the parts, whose
    borders follow the photo's edges; what a part looks like is decided once an object, from all of it and its class; thickness
    changes slowly on top of that.

    Args (the others are those of ``LightGenerator``):
        parts: Most parts of an object.

    Example:
        >>> net = PartsGenerator(4, 2, classes=3, width=8, stem=4, blocks=1, parts=3)
        >>> net(torch.zeros(1, 4, 16, 16), torch.tensor([2])).shape
        torch.Size([1, 2, 16, 16])
    """

    def __init__(
        self, inputs: int, outputs: int, *, classes: int, width: int = 64, stem: int = 24, blocks: int = 4, parts: int = PARTS
    ) -> None:
        super().__init__(inputs, outputs, classes=classes, width=width, stem=stem, blocks=blocks)
        self.out = nn.Conv2d(stem, parts, 3, padding=1)
        self.border = nn.Conv2d(inputs, parts, 3, padding=1)
        self.look = nn.Linear(2 * width, parts * outputs)
        self.look_class = nn.Embedding(classes, parts * outputs)
        self.slow = nn.Conv2d(width, outputs, 1)

    def forward(self, x: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """(N, inputs, S, S) and (N,) classes to (N, outputs, S, S) in [-1, 1]; S a multiple of 4."""
        coarse, merged = self._thought(x, class_index)
        share = functional.softmax(_enlarged(self.out(merged), 2) + self.border(x), 1)
        covered = functional.avg_pool2d(x[:, -1:], 4)
        mean = (coarse * covered).sum((2, 3)) / covered.sum((2, 3)).clamp(min=1.0)
        look = self.look(torch.cat([mean, coarse.amax((2, 3))], 1)) + self.look_class(class_index)
        slow = _enlarged(self.slow(coarse), 4)
        drawn = torch.matmul(look.reshape(-1, slow.shape[1], share.shape[1]), share.flatten(2))
        return torch.tanh(drawn.reshape(slow.shape) + slow)


def _enlarged(x: torch.Tensor, factor: int) -> torch.Tensor:
    """Between its pixels in straight lines, so that no grid is left."""
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class LightDiscriminator(nn.Module):
    """Two verdicts with class knowledge: patches of 22 pixels, and the whole object.

    Patch logits alone let a bright head and a dark handle pass, if each patch looks like *some* part of a hammer; the head that sees the
    whole object does not.

    Args:
        inputs: Input channels with the mask.
        classes: Number of classes, at least 1.
        width: Channels at half side.

    Example:
        >>> heads = LightDiscriminator(3, classes=2, width=4)(torch.zeros(1, 3, 32, 32), torch.tensor([0]))
        >>> [tuple(head.shape) for head in heads]
        [(1, 1, 8, 8), (1, 1)]
    """

    conditional = True

    def __init__(self, inputs: int, *, classes: int, width: int = 24) -> None:
        super().__init__()
        self.folded = _Folded(inputs, details=True)
        self.stem = nn.Conv2d(self.folded.planes, width, 3, padding=1)
        self.down = nn.Conv2d(width + 2, 2 * width, 4, stride=2, padding=1)
        self.further = nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)
        self.furthest = nn.Conv2d(4 * width, 4 * width, 4, stride=2, padding=1)
        self.patch = nn.Conv2d(2 * width, 1, 1)
        self.patch_class = nn.Embedding(classes, 2 * width)
        self.whole = nn.Linear(4 * width, 1)
        self.whole_class = nn.Embedding(classes, 4 * width)
        self.place = nn.Embedding(classes, 4 * width)

    def forward(self, x: torch.Tensor, class_index: torch.Tensor) -> list[torch.Tensor]:
        """Logits: (N, 1, S/4, S/4) of patches and (N, 1) of the object."""
        fine = functional.leaky_relu(self.stem(self.folded(x)), 0.2)
        middle = functional.leaky_relu(self.down(_with_position(fine)), 0.2)
        patch = self.patch(middle) + (middle * self.patch_class(class_index)[:, :, None, None]).sum(1, keepdim=True)
        coarse = self.further(middle) + self.place(class_index)[:, :, None, None]
        coarse = functional.leaky_relu(self.furthest(functional.leaky_relu(coarse, 0.2)), 0.2).mean((2, 3))
        whole = self.whole(coarse) + (coarse * self.whole_class(class_index)).sum(1, keepdim=True)
        return [patch, whole]


def init_light(module: nn.Module, generator: torch.Generator) -> None:
    """Variance-keeping weights; the last layer of every residual branch at a tenth, embeddings small."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, a=0.2, generator=generator)
            nn.init.zeros_(part.bias)  # type: ignore[arg-type]
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, 0.0, 0.02, generator=generator)
    for part in module.modules():
        if isinstance(part, _Block):
            part.second.weight.data.mul_(0.1)
        elif isinstance(part, PartsGenerator):
            part.up.weight.data = _one_of_four(part.up.weight.data)
            part.look.weight.data.mul_(0.3)
            part.slow.weight.data.mul_(0.1)
            nn.init.normal_(part.look_class.weight, 0.0, 0.7, generator=generator)  # parts that look alike would never part
        elif isinstance(part, LightGenerator):
            part.out.weight.data.mul_(0.2)
            for layer in (part.up, part.out):
                layer.weight.data = _one_of_four(layer.weight.data)


def _one_of_four(weight: torch.Tensor) -> torch.Tensor:
    """Equal weights for the four pixels of a fold: no checkerboard to unlearn."""
    return weight[::4].repeat_interleave(4, dim=0)
