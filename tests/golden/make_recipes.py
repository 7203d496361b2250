"""Writes recipes.safetensors: what PyTorch computes of the ingredients of fast recipes, Jordan's airbench among them.

    /usr/bin/python3 tests/golden/make_recipes.py [folder]      (default: the folder of this script)

Made with the versions that make_golden.py names, in double.
"""

import os
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from make_golden import INPUT, PARAMETER, STEP, TARGET, filled, golden_file, leaf  # noqa: E402  (sets one thread and double precision)
from make_models import fill  # noqa: E402


def orthogonalised(g, steps):
    """Jordan's zeropower_via_newtonschulz5, in double instead of bfloat16."""
    x = g / (g.norm() + 1e-7)
    if g.size(0) > g.size(1):
        x = x.T
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if g.size(0) > g.size(1) else x


def muon(out):
    """A wide and a tall matrix of filters, and a bias, which goes by PyTorch's SGD. The gradient of step s is 2 * value(i, 100 +
    10 k + s) for parameter k."""
    def run(name, text, lr, momentum, steps, normalize, decay, rest):
        wide, tall, bias = (leaf(dims, PARAMETER + k) for k, dims in enumerate(((6, 2, 3, 3), (40, 2, 3, 3), (5,))))
        sgd = torch.optim.SGD([bias], lr=rest, momentum=0.85, nesterov=True)
        buffers = [torch.zeros_like(wide), torch.zeros_like(tall)]
        rows = []
        for step in range(3):
            for k, p in enumerate((wide, tall, bias)):
                p.grad = filled(tuple(p.shape), STEP + 10 * k + step, 2.0)
            sgd.step()
            with torch.no_grad():
                for p, buffer in zip((wide, tall), buffers):
                    buffer.mul_(momentum).add_(p.grad)
                    g = p.grad.add(buffer, alpha=momentum).reshape(len(p), -1)
                    if normalize:
                        p.mul_(len(p) ** 0.5 / p.norm())
                        scale = 1.0
                    else:
                        p.mul_(1 - lr * decay)
                        scale = max(1.0, g.size(0) / g.size(1)) ** 0.5
                    p.add_(orthogonalised(g, steps).view(p.shape), alpha=-lr * scale)
            rows.append(torch.cat([p.detach().reshape(-1) for p in (wide, tall, bias)]))
        out.case(name, text + "; row s: 6x2x3x3, 40x2x3x3 and 5 parameters after step s", parameters=torch.stack(rows))

    run("muon", "lr 0.02, momentum 0.95, 5 iterations, decoupled decay 0.1, rest 0.05", 0.02, 0.95, 5, False, 0.1, 0.05)
    run("muon_normalized", "lr 0.24, momentum 0.6, 3 iterations, normalised weights, rest 0.1", 0.24, 0.6, 3, True, 0.0, 0.1)


def whitening(out):
    """airbench's get_whitening_parameters of 5 images of 3x6x7."""
    images = filled((5, 3, 6, 7), INPUT, 2.0, 0.25)
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches), UPLO="U")
    vectors = vectors.T / torch.sqrt(values.view(-1, 1) + 5e-4)
    vectors = vectors.flip(0)
    sign = torch.sign(vectors.gather(1, vectors.abs().argmax(1, keepdim=True)))
    vectors = vectors * sign
    out.case("whitening", "5 images of 3x6x7, 0.25 + 2 * value(i, 1); filters of 2x2, largest eigenvalue first, then their negatives",
             filters=torch.cat((vectors, -vectors)).reshape(24, 3, 2, 2))


def soft_labels(out):
    """Cross-entropy with probabilities for labels: rows of softmax(4 * value(i, 7))."""
    for smoothing in (0.0, 0.2):
        z = leaf((5, 4), INPUT, 8.0)
        targets = torch.softmax(filled((5, 4), TARGET, 4.0), 1)
        loss = F.cross_entropy(z, targets, label_smoothing=smoothing)
        loss.backward()
        out.case(f"soft_labels_{smoothing}", "logits 5x4, 8 * value(i, 1); targets softmax(4 * value(i, 7))", loss=loss, gradient=z.grad)


def distillation(out):
    """Hinton's loss: hard labels and the softened answers of a teacher."""
    student, teacher = leaf((5, 4), INPUT, 8.0), filled((5, 4), TARGET, 6.0)
    labels, share, t = torch.tensor([0, 3, 1, 1, 2]), 0.3, 2.5
    soft = F.kl_div(torch.log_softmax(student / t, 1), torch.softmax(teacher / t, 1), reduction="batchmean") * t * t
    loss = (1 - share) * F.cross_entropy(student, labels, label_smoothing=0.1) + share * soft
    loss.backward()
    out.case("distillation", "logits 8 * value(i, 1), the teacher's 6 * value(i, 7); labels 0 3 1 1 2, smoothed by 0.1; share 0.3, "
             "temperature 2.5", loss=loss, gradient=student.grad)


class bias_norm(nn.BatchNorm2d):
    def __init__(self, features):
        super().__init__(features, eps=1e-12, momentum=0.4)
        del self.weight
        self.weight = None


class group(nn.Module):
    def __init__(self, before, filters, depth):
        super().__init__()
        self.depth = depth
        for i in range(1, depth + 1):
            setattr(self, f"conv{i}", nn.Conv2d(before if i == 1 else filters, filters, 3, padding=1, bias=False))
            setattr(self, f"norm{i}", bias_norm(filters))

    def forward(self, x):
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        identity = x
        x = F.gelu(self.norm2(self.conv2(x)))
        return F.gelu(self.norm3(self.conv3(x)) + identity) if self.depth == 3 else x


class fast_cifar(nn.Module):
    def __init__(self, widths, depth):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        for i in range(3):
            setattr(self, f"group{i + 1}", group(24 if i == 0 else widths[i - 1], widths[i], depth))
        self.head = nn.Linear(widths[2], 10, bias=False)

    def forward(self, x):
        x = self.group3(self.group2(self.group1(F.gelu(self.whiten(x)))))
        return self.head(F.max_pool2d(x, 3).flatten(1)) / 9


def networks(out):
    for name, widths, depth in (("fast_cifar", (16, 32, 32), 2), ("fast_cifar_deep", (16, 32, 48), 3)):
        with torch.no_grad():
            model = fill(fast_cifar(widths, depth).eval())
            out.case(name, f"widths {widths}, depth {depth}; 2x3x32x32 as in make_models.py", logits=model(filled((2, 3, 32, 32), INPUT, 4.0)))


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    golden = golden_file()
    for make in (muon, whitening, soft_labels, distillation, networks):
        make(golden)
    golden.write(os.path.join(folder, "recipes.safetensors"))
