"""The networks of the CycleGAN paper: ResNet and U-Net generators and the PatchGAN, with the published layout of layers.

The order and the names of the layers equal those of the authors' code, so that weights trained there fit.
"""

from __future__ import annotations

import torch
from torch import nn

from threatray.errors import ConfigError
from threatray.synthesis.hardware import Precision, arithmetic
from threatray.synthesis.paper_config import Norm
from threatray.synthesis.winograd import Conv3x3


def _norm(channels: int, kind: Norm) -> nn.Module:
    if kind is Norm.BATCH:
        return nn.BatchNorm2d(channels)
    if kind is Norm.NONE:
        return nn.Identity()
    # one group a channel is instance normalisation; torch computes this form several times faster on processors
    return nn.GroupNorm(channels, channels, affine=kind is Norm.INSTANCE_AFFINE)


def _has_bias(kind: Norm) -> bool:
    """As published: convolutions before a batch normalisation, or before none, have no bias."""
    return kind in (Norm.INSTANCE, Norm.INSTANCE_AFFINE)


class ResnetBlock(nn.Module):
    """Two 3x3 convolutions with reflection padding around a shortcut."""

    def __init__(self, channels: int, *, norm: Norm = Norm.INSTANCE, dropout: bool = False) -> None:
        super().__init__()
        bias = _has_bias(norm)
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            Conv3x3(channels, channels, 3, bias=bias),
            _norm(channels, norm),
            nn.ReLU(inplace=True),
            *([nn.Dropout(0.5)] if dropout else []),
            nn.ReflectionPad2d(1),
            Conv3x3(channels, channels, 3, bias=bias),
            _norm(channels, norm),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Same shape."""
        return x + self.conv_block(x)  # type: ignore[no-any-return]


class ResnetGenerator(nn.Module):
    """c7s1-64, d128, d256, R256 x blocks, u128, u64, c7s1-out, tanh.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        width: Channels after the first layer (ngf).
        blocks: 6 for 128 px, 9 for 256 px and more.
        norm: Normalisation.
        dropout: Dropout in the blocks.

    Source:
        Zhu et al. 2017, appendix 7.2; Johnson et al. 2016.

    Example:
        >>> ResnetGenerator(3, 2, width=4, blocks=1)(torch.zeros(1, 3, 16, 16)).shape
        torch.Size([1, 2, 16, 16])
    """

    def __init__(
        self, inputs: int, outputs: int, *, width: int = 64, blocks: int = 9, norm: Norm = Norm.INSTANCE, dropout: bool = False
    ) -> None:
        super().__init__()
        bias = _has_bias(norm)
        first = nn.Conv2d(inputs, width, 7, bias=bias)
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), first, _norm(width, norm), nn.ReLU(inplace=True)]
        for factor in (1, 2):
            channels = width * factor
            down = nn.Conv2d(channels, channels * 2, 3, stride=2, padding=1, bias=bias)
            layers += [down, _norm(channels * 2, norm), nn.ReLU(inplace=True)]
        layers += [ResnetBlock(width * 4, norm=norm, dropout=dropout) for _ in range(blocks)]
        for factor in (4, 2):
            channels, half = width * factor, width * factor // 2
            up = nn.ConvTranspose2d(channels, half, 3, stride=2, padding=1, output_padding=1, bias=bias)
            layers += [up, _norm(half, norm), nn.ReLU(inplace=True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, outputs, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, S, S) to (N, outputs, S, S) in [-1, 1]; S a multiple of 4."""
        return self.model(x)  # type: ignore[no-any-return]

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What CUT compares: the pixels, both strided convolutions, the first residual block and the fifth (or the last)."""
        blocks = [place for place, layer in enumerate(self.model) if isinstance(layer, ResnetBlock)]
        wanted, found = {4, 7, *blocks[:1], *blocks[:5][-1:]}, [x]
        for place in range(max(wanted) + 1):
            x = self.model[place](x)
            if place in wanted:
                found.append(x)
        return found


class _UnetLevel(nn.Module):
    def __init__(
        self,
        outer: int,
        inner: int,
        *,
        norm: Norm,
        inputs: int | None = None,
        inside: nn.Module | None = None,
        outermost: bool = False,
        dropout: bool = False,
    ) -> None:
        super().__init__()
        self.outermost = outermost
        bias = _has_bias(norm)
        down: list[nn.Module] = [nn.Conv2d(inputs or outer, inner, 4, stride=2, padding=1, bias=bias)]
        up = nn.ConvTranspose2d(inner if inside is None else inner * 2, outer, 4, stride=2, padding=1, bias=bias or outermost)
        if outermost:
            layers = [*down, inside, nn.ReLU(inplace=True), up, nn.Tanh()]
        elif inside is None:
            layers = [nn.LeakyReLU(0.2, inplace=True), *down, nn.ReLU(inplace=True), up, _norm(outer, norm)]
        else:
            layers = [nn.LeakyReLU(0.2, inplace=True), *down, _norm(inner, norm), inside, nn.ReLU(inplace=True), up, _norm(outer, norm)]
            layers += [nn.Dropout(0.5)] if dropout else []
        self.model = nn.Sequential(*[layer for layer in layers if layer is not None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class UnetGenerator(nn.Module):
    """The pix2pix U-Net: halve the canvas ``levels`` times down to a point and come back with skips.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        width: Channels of the outermost level.
        levels: The canvas must be a multiple of 2**levels; 7 for 128 px, 8 for 256 px. At least 3.
        norm: Normalisation.
        dropout: Dropout in the levels between the widest, as published.

    Source:
        Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017.

    Example:
        >>> UnetGenerator(3, 2, width=4, levels=4)(torch.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
    """

    def __init__(
        self, inputs: int, outputs: int, *, width: int = 64, levels: int = 7, norm: Norm = Norm.INSTANCE, dropout: bool = False
    ) -> None:
        super().__init__()
        if levels < 3:
            raise ConfigError(f"U-Net: expected at least 3 levels, got {levels}.")
        channels = [min(width * 2**level, width * 8) for level in range(levels)]
        block = _UnetLevel(channels[-2], channels[-1], norm=norm)
        for level in range(levels - 2, 0, -1):
            wide = channels[level - 1] == channels[level]
            block = _UnetLevel(channels[level - 1], channels[level], norm=norm, inside=block, dropout=dropout and wide)
        self.model = _UnetLevel(outputs, channels[0], norm=norm, inputs=inputs, inside=block, outermost=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, S, S) to (N, outputs, S, S) in [-1, 1]."""
        return self.model(x)  # type: ignore[no-any-return]


class PatchDiscriminator(nn.Module):
    """PatchGAN: each logit judges a patch, of 70x70 pixels for 3 layers.

    Args:
        inputs: Input channels.
        width: Channels after the first layer (ndf).
        layers: Strided layers; 1 sees 16x16 patches, 2 sees 34x34, 3 sees 70x70.
        norm: Normalisation.

    Source:
        Isola et al. 2017; Zhu et al. 2017.

    Example:
        >>> PatchDiscriminator(3, width=4)(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 1, 6, 6])
    """

    def __init__(self, inputs: int, *, width: int = 64, layers: int = 3, norm: Norm = Norm.INSTANCE) -> None:
        super().__init__()
        if layers < 1:
            raise ConfigError(f"PatchGAN: expected at least 1 layer, got {layers}.")
        parts: list[nn.Module] = [nn.Conv2d(inputs, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        before = width
        for level in range(1, layers + 1):
            after = width * min(2**level, 8)
            stride = 2 if level < layers else 1
            judge = nn.Conv2d(before, after, 4, stride=stride, padding=1, bias=_has_bias(norm))
            parts += [judge, _norm(after, norm), nn.LeakyReLU(0.2, inplace=True)]
            before = after
        parts.append(nn.Conv2d(before, 1, 4, stride=1, padding=1))
        self.model = nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, S, S) to (N, 1, s, s) logits."""
        return self.model(x)  # type: ignore[no-any-return]


class PixelDiscriminator(nn.Module):
    """A discriminator of single pixels: 1x1 convolutions alone.

    Args:
        inputs: Input channels.
        width: Channels after the first layer (ndf).
        norm: Normalisation.

    Example:
        >>> PixelDiscriminator(3, width=4)(torch.zeros(1, 3, 8, 8)).shape
        torch.Size([1, 1, 8, 8])
    """

    def __init__(self, inputs: int, *, width: int = 64, norm: Norm = Norm.INSTANCE) -> None:
        super().__init__()
        bias = _has_bias(norm)
        self.net = nn.Sequential(
            nn.Conv2d(inputs, width, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, width * 2, 1, bias=bias),
            _norm(width * 2, norm),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width * 2, 1, 1, bias=bias),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, S, S) to (N, 1, S, S) logits."""
        return self.net(x)  # type: ignore[no-any-return]


def class_planes(class_index: torch.Tensor, classes: int, like: torch.Tensor) -> torch.Tensor:
    """One-hot classes as constant planes of the size of ``like``: (N, classes, H, W).

    Example:
        >>> class_planes(torch.tensor([1]), 2, torch.zeros(1, 3, 4, 4))[0, :, 0, 0].tolist()
        [0.0, 1.0]
    """
    planes = nn.functional.one_hot(class_index, classes).to(like.dtype)
    return planes[:, :, None, None].expand(-1, -1, like.shape[2], like.shape[3])


class MaskedGenerator(nn.Module):
    """A generator that knows where the object is, and of which class, and leaves air (or white) everywhere else.

    Args:
        core: Takes (N, channels + 1 [+ classes], S, S), or, where it offers ``conditional``, (N, channels + 1, S, S) and the class index.
        classes: Number of classes given to the core; 0 for none.
        sees_mask: Whether the core is given the mask; a published network is not.
    """

    def __init__(self, core: nn.Module, *, classes: int = 0, sees_mask: bool = True) -> None:
        super().__init__()
        self.core = core
        self.classes = classes
        self.sees_mask = sees_mask
        self.precision = Precision.FP32
        self.conditional = bool(getattr(core, "conditional", False))

    def inside(self, image: torch.Tensor, mask: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """What the core says the object looks like; means nothing outside the mask."""
        given = torch.cat([image, mask], 1) if self.sees_mask else image
        with arithmetic(self.precision, image.device):
            if self.conditional:
                made = self.core(given, class_index)
            elif self.classes:
                made = self.core(torch.cat([given, class_planes(class_index, self.classes, image)], 1))
            else:
                made = self.core(given)
        return made.float()  # type: ignore[no-any-return]

    def features(self, image: torch.Tensor, mask: torch.Tensor, class_index: torch.Tensor) -> list[torch.Tensor]:
        """What the core's encoder half makes of an image: (N, C, h, w) each, for cores that offer ``features``."""
        given = torch.cat([image, mask], 1) if self.sees_mask else image
        with arithmetic(self.precision, image.device):
            if self.conditional:
                found = self.core.features(given, class_index)  # type: ignore[operator]
            elif self.classes:
                found = self.core.features(torch.cat([given, class_planes(class_index, self.classes, image)], 1))  # type: ignore[operator]
            else:
                found = self.core.features(given)  # type: ignore[operator]
        return [one.float() for one in found]

    def forward(self, image: torch.Tensor, mask: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """The object's look inside the mask, exactly 1 where the mask is 0, in proportion at its edge."""
        return 1.0 + mask * (self.inside(image, mask, class_index) - 1.0)


class ConditionalDiscriminator(nn.Module):
    """A discriminator that sees the image, its mask and its class; logits as a list of heads.

    Args:
        core: Takes the same planes as a ``MaskedGenerator``'s core.
        classes: Number of classes given to the core; 0 for none.
        sees_mask: Whether the core is given the mask; a published network is not.
    """

    def __init__(self, core: nn.Module, *, classes: int = 0, sees_mask: bool = True) -> None:
        super().__init__()
        self.core = core
        self.classes = classes
        self.sees_mask = sees_mask
        self.precision = Precision.FP32
        self.conditional = bool(getattr(core, "conditional", False))

    def forward(self, image: torch.Tensor, mask: torch.Tensor, class_index: torch.Tensor) -> list[torch.Tensor]:
        """One tensor of logits a head."""
        given = torch.cat([image, mask], 1) if self.sees_mask else image
        with arithmetic(self.precision, image.device):
            if self.conditional:
                heads = self.core(given, class_index)
            elif self.classes:
                heads = [self.core(torch.cat([given, class_planes(class_index, self.classes, image)], 1))]
            else:
                heads = [self.core(given)]
        return [head.float() for head in heads]


def init_weights(module: nn.Module, generator: torch.Generator, *, std: float = 0.02) -> None:
    """Normal(0, std) for convolution weights, 0 for biases, as published."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, std, generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, std, generator=generator)
