"""The example network of sound classes: log-mels of two seconds in, one probability per class out; some 20,000 parameters."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.log_mels import MelSpec
from models.sound_scenes import SoundKind

SPEC = MelSpec(n_bands=40, hop_n_pcm=320, low_hz=50.0, high_hz=7600.0, window_power=1.0, preemphasis=0.0, log_floor=1e-6)
WINDOW_S, EVERY_S = 2.0, 1.0
CLASSES = tuple(SoundKind)


class SoundNet(nn.Module):
    """Three convolutions over time and frequency, the mean and the peak of what they find, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (1, 16, 32, 48)
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(sizes):
            layers += [nn.Conv2d(n_in, n_out, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
        self.found = nn.Sequential(*layers)
        self.dropped = nn.Dropout(0.2)
        self.classes = nn.Linear(2 * sizes[-1], len(CLASSES))

    def forward(self, mels: Tensor) -> Tensor:
        """Score windows; (n, 99, 40) to logits (n, classes)."""
        # How loud a window is says nothing: microphones differ.
        level = mels - mels.mean(dim=(1, 2), keepdim=True)
        maps = self.found(level.unsqueeze(1) * 0.25)  # (n, 48, 13, 5)
        both = torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
        return self.classes(self.dropped(both))


class Probabilities(nn.Module):
    """The network as it is exported: its answers are probabilities."""

    def __init__(self, net: SoundNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, mels: Tensor) -> Tensor:
        """(n, 99, 40) to probabilities (n, classes)."""
        return torch.softmax(self.net(mels), dim=1)
