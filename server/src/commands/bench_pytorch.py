"""The same work as engine::calibrate, in PyTorch: whole training steps with the selectivity
regulariser, and forward passes in inference mode with unit responses. Spec in argv[1], JSON out."""
import json, sys, time
import torch, torch.nn as nn, torch.nn.functional as F

spec = json.loads(sys.argv[1])
device = torch.device("cpu" if spec["device"] == "cpu" else "cuda")


class Basic(nn.Module):
    def __init__(self, cin, cout, stride, option_a):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False); self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False); self.bn2 = nn.BatchNorm2d(cout)
        self.change, self.option_a, self.added = stride != 1 or cin != cout, option_a, (cout - cin) // 2
        if self.change and not option_a:
            self.down = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x, acts):
        h = F.relu(self.bn1(self.conv1(x))); acts.append(h)
        h = self.bn2(self.conv2(h))
        if self.change:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added, self.added)) if self.option_a else self.down(x)
        h = F.relu(h + x); acts.append(h)
        return h


class Bottleneck(nn.Module):
    def __init__(self, cin, width, stride):
        super().__init__()
        cout = 4 * width
        self.conv1 = nn.Conv2d(cin, width, 1, bias=False); self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False); self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, cout, 1, bias=False); self.bn3 = nn.BatchNorm2d(cout)
        self.down = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout)) if stride != 1 or cin != cout else None

    def forward(self, x, acts):
        h = F.relu(self.bn1(self.conv1(x))); acts.append(h)
        h = F.relu(self.bn2(self.conv2(h))); acts.append(h)
        h = self.bn3(self.conv3(h))
        h = F.relu(h + (x if self.down is None else self.down(x))); acts.append(h)
        return h


class Net(nn.Module):
    def __init__(self, name, classes):
        super().__init__()
        cifar = {"resnet8": 1, "resnet20": 3, "resnet32": 5, "resnet44": 7, "resnet56": 9}
        blocks = []
        if name in cifar:
            cin = 16
            self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
            for stage, cout in enumerate((16, 32, 64)):
                for i in range(cifar[name]):
                    blocks.append(Basic(cin, cout, 2 if stage and i == 0 else 1, True)); cin = cout
        else:
            cin = 64
            self.stem = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
            counts = (2, 2, 2, 2) if name == "resnet18" else (3, 4, 6, 3)
            for stage, width in enumerate((64, 128, 256, 512)):
                for i in range(counts[stage]):
                    stride = 2 if stage and i == 0 else 1
                    if name == "resnet18":
                        blocks.append(Basic(cin, width, stride, False)); cin = width
                    else:
                        blocks.append(Bottleneck(cin, width, stride)); cin = 4 * width
        self.bn = nn.BatchNorm2d(self.stem.out_channels)
        self.blocks = nn.ModuleList(blocks)
        self.linear = nn.Linear(cin, classes)

    def forward(self, x, acts):
        h = F.relu(self.bn(self.stem((x - 0.5) / 0.25))); acts.append(h)
        for block in self.blocks:
            h = block(h, acts)
        return self.linear(h.mean((2, 3)))


def selectivity(means, labels):
    classes = labels.unique()
    cond = torch.stack([means[labels == c].mean(0) for c in classes])
    top = cond.max(0).values
    rest = (cond.sum(0) - top) / (len(classes) - 1)
    return ((top - rest) / (top + rest + 1e-7)).mean()


def timed(step):
    def sync():
        if device.type == "cuda":
            torch.cuda.synchronize()
    step(); sync()
    began, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - began < spec["seconds"]:
        step(); sync(); steps += 1
    return steps, spec["batch_size"] * steps / (time.perf_counter() - began)


# PyTorch's own defaults, and TF32 convolutions with channels last on a GPU: what it is best at.
channels_last = device.type == "cuda"
torch.manual_seed(0)
net = Net(spec["network"], spec["classes"]).to(device)
x = torch.rand(spec["batch_size"], 3, spec["height"], spec["width"], device=device)
y = (torch.arange(spec["batch_size"]) % spec["classes"]).to(device)
if channels_last:
    net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
sgd = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9, weight_decay=1e-4)


def train():
    acts = []
    loss = F.cross_entropy(net(x, acts), y)
    if spec["alpha"]:
        si = torch.stack([selectivity(a.mean((2, 3)), y) for a in acts]).mean()
        loss = loss - spec["alpha"] * si
    sgd.zero_grad(); loss.backward(); sgd.step(); loss.item()


def infer():
    with torch.no_grad():
        acts = []
        net(x, acts).cpu()
        torch.cat([a.mean((2, 3)) for a in acts], 1).cpu()


def attack():
    """One L-infinity PGD step: gradient with respect to the images, network in inference mode."""
    a = x.clone().requires_grad_(True)
    (g,) = torch.autograd.grad(F.cross_entropy(net(a, []), y), a)
    ((x + (a.detach() + 0.5 / 255 * g.sign() - x).clamp(-8 / 255, 8 / 255)).clamp(0, 1))[0].cpu()


net.train(); train_steps, train_rate = timed(train)
net.eval(); infer_steps, infer_rate = timed(infer)
for p in net.parameters():
    p.requires_grad_(False)
_, attack_rate = timed(attack)
print(json.dumps({"train_images_per_second": train_rate, "train_steps": train_steps,
                  "inference_images_per_second": infer_rate, "inference_steps": infer_steps,
                  "attack_images_per_second": attack_rate}))
