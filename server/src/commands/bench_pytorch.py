"""The same work as engine::calibrate, in PyTorch: whole training steps with the selectivity regulariser, forward passes
in inference mode with unit responses, and PGD steps. The work is in argv[1] (JSON), the setting in argv[2]. Answers are
lines of JSON: "ready" when everything is compiled and warm, or why the setting is left out; then a round for each line
of standard input."""
import contextlib, functools, json, os, sys, time

# Answers have the output to themselves: whatever else is printed goes where errors go.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import torch, torch.nn as nn, torch.nn.functional as F

spec, setting = json.loads(sys.argv[1]), sys.argv[2]
device = torch.device("cpu" if spec["device"] == "cpu" else "cuda")
# What sets each apart; on a GPU, convolutions are in TF32 by default.
channels_last, compiled, bf16 = {
    "eager": (False, False, False),
    "channels_last": (True, False, False),
    "compile": (True, True, False),
    "bf16": (True, False, True),
}[setting]


def respond(responses, h):
    if responses is not None:
        responses.append(h.mean((2, 3)))


class Basic(nn.Module):
    def __init__(self, cin, cout, stride, option_a):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False); self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False); self.bn2 = nn.BatchNorm2d(cout)
        self.change, self.option_a, self.added = stride != 1 or cin != cout, option_a, (cout - cin) // 2
        if self.change and not option_a:
            self.down = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x, responses):
        h = F.relu(self.bn1(self.conv1(x))); respond(responses, h)
        h = self.bn2(self.conv2(h))
        if self.change:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added, self.added)) if self.option_a else self.down(x)
        h = F.relu(h + x); respond(responses, h)
        return h


class Bottleneck(nn.Module):
    def __init__(self, cin, width, stride):
        super().__init__()
        cout = 4 * width
        self.conv1 = nn.Conv2d(cin, width, 1, bias=False); self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False); self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, cout, 1, bias=False); self.bn3 = nn.BatchNorm2d(cout)
        self.down = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout)) if stride != 1 or cin != cout else None

    def forward(self, x, responses):
        h = F.relu(self.bn1(self.conv1(x))); respond(responses, h)
        h = F.relu(self.bn2(self.conv2(h))); respond(responses, h)
        h = self.bn3(self.conv3(h))
        h = F.relu(h + (x if self.down is None else self.down(x))); respond(responses, h)
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

    def forward(self, x, observed):
        """Logits, and each layer's responses where they are asked for."""
        responses = [] if observed else None
        h = F.relu(self.bn(self.stem((x - 0.5) / 0.25))); respond(responses, h)
        for block in self.blocks:
            h = block(h, responses)
        return self.linear(responses[-1] if observed else h.mean((2, 3))), responses


def selectivity(responses, labels):
    """As the engine does it: means by class of all layers at once, by one matrix product."""
    present, place = labels.unique(return_inverse=True)
    member = F.one_hot(place).float()
    means = (member / member.sum(0)).T @ torch.cat(responses, 1)
    top = means.max(0).values
    rest = (means.sum(0) - top) / (len(present) - 1)
    index = (top - rest) / (top + rest + 1e-7)
    layers = index.split([response.shape[1] for response in responses])
    return torch.stack([layer.mean() for layer in layers]).mean()


torch.manual_seed(0)
net = Net(spec["network"], spec["classes"]).to(device)
x = torch.rand(spec["batch_size"], 3, spec["height"], spec["width"], device=device)
y = (torch.arange(spec["batch_size"]) % spec["classes"]).to(device)
if channels_last:
    net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
sgd = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9, weight_decay=1e-4)
model = net


def precision():
    return torch.autocast(device.type, dtype=torch.bfloat16) if bf16 else contextlib.nullcontext()


def train(alpha):
    with precision():
        logits, responses = model(x, alpha != 0)
        loss = F.cross_entropy(logits, y)
        if alpha:
            loss = loss - alpha * selectivity(responses, y)
    sgd.zero_grad(); loss.backward(); sgd.step(); loss.item()


def infer():
    with torch.no_grad(), precision():
        logits, responses = model(x, True)
        logits.cpu()
        torch.cat(responses, 1).cpu()


def attack():
    """One L-infinity PGD step: gradient with respect to the images, network in inference mode."""
    a = x.clone().requires_grad_(True)
    with precision():
        loss = F.cross_entropy(model(a, False)[0], y)
    (g,) = torch.autograd.grad(loss, a)
    ((x + (a.detach() + 0.5 / 255 * g.sign() - x).clamp(-8 / 255, 8 / 255)).clamp(0, 1))[0].cpu()


def kinds():
    """A step of each kind of work in turn, with the network in the mode for it."""
    net.train().requires_grad_(True)
    for alpha in spec["alphas"]:
        yield functools.partial(train, alpha)
    net.eval().requires_grad_(False)
    yield infer
    yield attack


def timed(step):
    def sync():
        if device.type == "cuda":
            torch.cuda.synchronize()
    step(); sync()
    began, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - began < spec["seconds"]:
        step(); sync(); steps += 1
    return spec["batch_size"] * steps / (time.perf_counter() - began)


def measure():
    *training, inference, attacking = [timed(step) for step in kinds()]
    if device.type == "cuda":
        torch.cuda.empty_cache()  # others are measured before the next round
    return {"training": training, "inference": inference, "attack": attacking}


def answer(what):
    print(json.dumps(what), file=answers, flush=True)


try:
    if compiled:
        model = torch.compile(net)
    for step in kinds():
        # The first compiles: forward, and backward when it is first gone through.
        for _ in range(3 if compiled else 1):
            step()
except Exception as error:
    if not compiled:
        raise
    answer({"left_out": " ".join(f"{type(error).__name__}: {error}".split())[:300]})
    sys.exit()
answer("ready")
for _ in sys.stdin:
    answer({"measured": measure()})
