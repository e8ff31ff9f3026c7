"""CycleGAN's networks and training step written plainly from the paper, the measure for our own; imports nothing of threatray.

Zhu et al. 2017, section 3 and 4 and appendix 7: c7s1-64, d128, d256, R256 x 9, u128, u64, c7s1-3 with instance normalisation and
reflection padding; C64-C128-C256-C512; LSGAN; L1 cycle and identity terms; 50 pooled fakes; Adam(0.5, 0.999). Layer order and parameter
names are those of the published checkpoints, so that weights can be copied.
"""

from __future__ import annotations

import random

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x):
        return x + self.conv_block(x)


class Generator(nn.Module):
    def __init__(self, inputs, outputs, width=64, blocks=9):
        super().__init__()
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, width, 7), nn.InstanceNorm2d(width), nn.ReLU(True)]
        for c in (width, 2 * width):
            layers += [nn.Conv2d(c, 2 * c, 3, stride=2, padding=1), nn.InstanceNorm2d(2 * c), nn.ReLU(True)]
        layers += [Block(4 * width) for _ in range(blocks)]
        for c in (4 * width, 2 * width):
            layers += [nn.ConvTranspose2d(c, c // 2, 3, stride=2, padding=1, output_padding=1), nn.InstanceNorm2d(c // 2), nn.ReLU(True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, outputs, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x)


class Discriminator(nn.Module):
    def __init__(self, inputs, width=64):
        super().__init__()
        layers = [nn.Conv2d(inputs, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        for before, after, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            layers += [nn.Conv2d(before * width, after * width, 4, stride, 1), nn.InstanceNorm2d(after * width), nn.LeakyReLU(0.2, True)]
        layers += [nn.Conv2d(8 * width, 1, 4, 1, 1)]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x)


class Pool:
    def __init__(self, size=50):
        self.size, self.images, self.random = size, [], random.Random(0)

    def query(self, images):
        out = []
        for image in images.detach().split(1):
            if len(self.images) < self.size:
                self.images.append(image.clone())
                out.append(image)
            elif self.random.random() > 0.5:
                place = self.random.randrange(self.size)
                out.append(self.images[place].clone())
                self.images[place] = image.clone()
            else:
                out.append(image)
        return torch.cat(out)


class PlainCycleGan:
    """F: A -> B is ``gen_ab``; both directions, all terms, one call a step."""

    def __init__(self, width=64, blocks=9, *, lambda_cycle=10.0, lambda_identity=0.5, rate=2e-4, pool=50):
        self.gen_ab, self.gen_ba = Generator(3, 3, width, blocks), Generator(3, 3, width, blocks)
        self.disc_a, self.disc_b = Discriminator(3, width), Discriminator(3, width)
        self.lambda_cycle, self.lambda_identity = lambda_cycle, lambda_identity
        self.pool_a, self.pool_b = Pool(pool), Pool(pool)
        generators = [*self.gen_ab.parameters(), *self.gen_ba.parameters()]
        judges = [*self.disc_a.parameters(), *self.disc_b.parameters()]
        self.adam_g = torch.optim.Adam(generators, lr=rate, betas=(0.5, 0.999))
        self.adam_d = torch.optim.Adam(judges, lr=rate, betas=(0.5, 0.999))
        self.mse, self.l1 = nn.MSELoss(), nn.L1Loss()

    def against(self, verdict, target):
        return self.mse(verdict, torch.tensor(target).expand_as(verdict))

    def step(self, real_a, real_b):
        fake_b = self.gen_ab(real_a)
        rec_a = self.gen_ba(fake_b)
        fake_a = self.gen_ba(real_b)
        rec_b = self.gen_ab(fake_a)

        for judge in (self.disc_a, self.disc_b):
            judge.requires_grad_(False)
        self.adam_g.zero_grad()
        losses = {}
        losses["identity_b"] = self.l1(self.gen_ab(real_b), real_b)
        losses["identity_a"] = self.l1(self.gen_ba(real_a), real_a)
        losses["adversarial_b"] = self.against(self.disc_b(fake_b), 1.0)
        losses["adversarial_a"] = self.against(self.disc_a(fake_a), 1.0)
        losses["cycle_a"] = self.l1(rec_a, real_a)
        losses["cycle_b"] = self.l1(rec_b, real_b)
        total = losses["adversarial_a"] + losses["adversarial_b"]
        total = total + self.lambda_cycle * (losses["cycle_a"] + losses["cycle_b"])
        total = total + self.lambda_cycle * self.lambda_identity * (losses["identity_a"] + losses["identity_b"])
        total.backward()
        self.adam_g.step()

        for judge in (self.disc_a, self.disc_b):
            judge.requires_grad_(True)
        self.adam_d.zero_grad()
        for name, judge, real, fake in (
            ("disc_b", self.disc_b, real_b, self.pool_b.query(fake_b)),
            ("disc_a", self.disc_a, real_a, self.pool_a.query(fake_a)),
        ):
            loss = 0.5 * (self.against(judge(real), 1.0) + self.against(judge(fake.detach()), 0.0))
            loss.backward()
            losses[name] = loss
        self.adam_d.step()
        return {name: float(value.detach()) for name, value in losses.items()}
