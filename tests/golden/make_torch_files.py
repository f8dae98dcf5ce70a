#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/golden/torch: PyTorch's files of weights beside their safetensors twins, and files to be
refused.

    python3 tests/golden/make_torch_files.py     # needs torch, diffusers, safetensors

NAME/pytorch and NAME/safetensors hold the same network. bad/ holds files that must be refused; bad/words.tsv
has a line for each: its name, a tab, words of the message.
"""

import io
import json
import pathlib
import pickle
import shutil
import struct
import zipfile

import torch
from diffusers import UNet2DModel
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent / "torch"
BIN = "diffusion_pytorch_model.bin"
SAFETENSORS = "diffusion_pytorch_model.safetensors"


def network():
    torch.manual_seed(5)
    net = UNet2DModel(
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        norm_num_groups=2,
        block_out_channels=(2,),
        attention_head_dim=2,
        down_block_types=("AttnDownBlock2D",),
        up_block_types=("AttnUpBlock2D",),
    )
    return net, {key: torch.randn_like(value) * 0.3 for key, value in net.state_dict().items()}


def write(name, state, saved=None, file=BIN, **options):
    """`saved` is what goes into PyTorch's file, where it is not the state itself."""
    net, _ = network()
    for kind in ("pytorch", "safetensors"):
        shutil.rmtree(HERE / name / kind, ignore_errors=True)
        (HERE / name / kind).mkdir(parents=True)
        net.save_config(HERE / name / kind)
    torch.save(state if saved is None else saved, HERE / name / "pytorch" / file, **options)
    twin = {key: value.detach().clone().contiguous() for key, value in state.items()}
    save_file(twin, HERE / name / "safetensors" / SAFETENSORS, metadata={"format": "pt"})


def legacy(state):
    """Attention names from before 2023, and its layers as convolutions."""
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for key, value in state.items():
        for new, old in names.items():
            if f".{new}." in key:
                key = key.replace(f".{new}.", f".{old}.")
                value = value[:, :, None, None] if key.endswith("weight") else value
        renamed[key] = value
    return renamed


def one_storage(state):
    """Every tensor is a view of one storage, the last first."""
    whole = torch.cat([value.flatten() for value in reversed(state.values())])
    views, at = {}, 0
    for key, value in reversed(state.items()):
        views[key] = whole[at : at + value.numel()].view(value.shape)
        at += value.numel()
    return {key: views[key] for key in state}


def strided(state):
    """Dimensions in another order, every second number of a longer row, and one number for all."""
    saved = {}
    for i, (key, value) in enumerate(state.items()):
        if value.dim() > 1:
            saved[key] = value.transpose(0, 1).contiguous().transpose(0, 1)
        elif i % 2:
            saved[key] = torch.stack([value, -value], 1).flatten()[::2]
        else:
            saved[key] = value[:1].expand(value.shape)
    return saved


def good():
    _, state = network()
    write("plain", state)
    write("half", {key: value.half() for key, value in state.items()})
    write("bfloat16", {key: value.bfloat16() for key, value in state.items()})
    write("double", {key: value.double() for key, value in state.items()})
    write("legacy", state, legacy(state))
    write("one-storage", state, one_storage(state))
    views = strided(state)
    write("strided", views, views)
    parameters = {key: torch.nn.Parameter(value) for key, value in state.items()}
    write("parameters", state, parameters, pickle_protocol=4)
    training = {"epoch": 3, "loss": 0.25, "steps": 1 << 40, "note": None, "done": False, "state_dict": state}
    write("checkpoint", state, training, file="diffusion_pytorch_model.ckpt")
    write("variant", state, file="diffusion_pytorch_model.bf16.bin")
    write("shards", state)
    folder = HERE / "shards" / "pytorch"
    (folder / BIN).unlink()
    names, parts = {}, (dict(list(state.items())[:40]), dict(list(state.items())[40:]))
    for i, part in enumerate(parts):
        file = f"diffusion_pytorch_model-0000{i + 1}-of-00002.bin"
        torch.save(part, folder / file)
        names.update({key: file for key in part})
    index = {"metadata": {"total_size": 0}, "weight_map": names}
    (folder / f"{BIN}.index.json").write_text(json.dumps(index) + "\n")


# ---- files to be refused ----

STORAGE = b"ctorch\nFloatStorage\n"
DATA = struct.pack("<4f", 1, 2, 3, 4)


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def whole(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def storage(count=4, key="0", kind=STORAGE):
    return b"(" + text("storage") + kind + text(key) + text("cpu") + whole(count) + b"tQ"


def tensor(of=None, offset=0, shape=(4,), stride=(1,)):
    sizes = b"(" + b"".join(map(whole, shape)) + b"t(" + b"".join(map(whole, stride)) + b"t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + (of or storage()) + whole(offset) + sizes + b"\x89NtR"


def state_dict(value):
    return b"\x80\x02}" + text("a") + value + b"s."


def torch_zip(data=None, storages=None, compression=zipfile.ZIP_STORED, more=()):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", state_dict(tensor()) if data is None else data)
        for key, value in (storages or {"0": DATA}).items():
            archive.writestr(f"archive/data/{key}", value)
        for name, value in more:
            archive.writestr(name, value)
    return file.getvalue()


def patch(data, sign, offset, value, which=-1):
    """Writes over the record of a zip that begins with `sign`: the first, or the last."""
    at = (data.find(sign) if which == 0 else data.rfind(sign)) + offset
    return data[:at] + value + data[at + len(value) :]


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


def bad():
    row, local, end = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"
    fine = torch_zip()
    loop = b"\x80\x02}q\x00" + text("a") + b"]q\x01h\x01a" + b"s" + text("b") + b"h\x00s."
    files = {
        "global": (torch_zip(pickle.dumps({"a": Evil()}, 2)), "__builtin__.print"),
        "global-protocol-4": (torch_zip(pickle.dumps({"a": Evil()}, 4)), "builtins.print"),
        "posix-system": (torch_zip(b"\x80\x02cposix\nsystem\n" + text("true") + b"\x85R."), "posix.system"),
        "instance": (torch_zip(b"\x80\x02(iposix\nsystem\n."), "opcode 0x69"),
        "new-object": (torch_zip(b"\x80\x02ccollections\nOrderedDict\n)\x81."), "opcode 0x81"),
        "extension": (torch_zip(b"\x80\x02\x82\x01."), "opcode 0x82"),
        "call-of-a-dict": (torch_zip(b"\x80\x02})R."), "no function of a state dict"),
        "call-of-a-storage": (torch_zip(b"\x80\x02" + STORAGE + b")R."), "no function of a state dict"),
        "state-for-a-function": (torch_zip(b"\x80\x02" + STORAGE + b"}b."), "a state for something"),
        "cut-pickle": (torch_zip(state_dict(tensor())[:-9]), "it ends early"),
        "cut-text": (torch_zip(b"\x80\x02X\xff\xff\xff\x7fa."), "it ends early"),
        "no-stop": (torch_zip(b"\x80\x02}"), "it ends early"),
        "empty-stack": (torch_zip(b"\x80\x02t."), "a mark is missing"),
        "no-memo": (torch_zip(b"\x80\x02h\x07."), "never written"),
        "huge-memo": (torch_zip(b"\x80\x02}r\xff\xff\xff\x7f."), "a memo of more"),
        "not-a-dict": (torch_zip(b"\x80\x02K\x01."), "something else than a state dict"),
        "no-tensors": (torch_zip(b"\x80\x02}" + text("a") + b"K\x01s."), "without tensors"),
        "loop": (torch_zip(loop), "without tensors"),
        "protocol": (torch_zip(b"\x80\x63}."), "a protocol other than"),
        "odd-items": (torch_zip(b"\x80\x02}(K\x01u."), "a key without a value"),
        "tensor-of-nothing": (torch_zip(state_dict(tensor(of=b"N"))), "a tensor without storage"),
        "rank": (torch_zip(state_dict(tensor(shape=(1,) * 9, stride=(1,) * 9))), "a tensor without storage"),
        "negative-shape": (torch_zip(state_dict(tensor(shape=(-4,)))), "a tensor without storage"),
        "strides-missing": (torch_zip(state_dict(tensor(stride=()))), "a tensor without storage"),
        "storage-missing": (torch_zip(state_dict(tensor(of=storage(key="1")))), "has no storage"),
        "storage-elsewhere": (torch_zip(state_dict(tensor(of=storage(key="../../x")))), "has no storage"),
        "storage-size": (torch_zip(state_dict(tensor(of=storage(count=5)))), "of another size"),
        "storage-huge": (torch_zip(state_dict(tensor(of=storage(count=1 << 62)))), "of another size"),
        "beyond": (torch_zip(state_dict(tensor(offset=1))), "reaches beyond"),
        "beyond-by-stride": (torch_zip(state_dict(tensor(stride=(2,)))), "reaches beyond"),
        "beyond-2-to-64": (torch_zip(state_dict(tensor(shape=(1 << 62,), stride=(8,)))), "reaches beyond"),
        "too-many-numbers": (
            torch_zip(state_dict(tensor(shape=(1 << 40, 1 << 40), stride=(0, 0)))),
            "more numbers than can be counted",
        ),
        "deflated": (torch_zip(compression=zipfile.ZIP_DEFLATED), "is compressed"),
        "encrypted": (patch(fine, row, 8, b"\x01\x00"), "is encrypted"),
        "two-sizes": (patch(fine, row, 20, b"\x08"), "two sizes"),
        "sizes-lie": (patch(patch(fine, row, 20, b"\xff\xff"), row, 24, b"\xff\xff"), "reach beyond"),
        "header-elsewhere": (patch(fine, row, 42, b"\x01"), "no header of its own"),
        "header-beyond": (patch(fine, row, 42, b"\xff\xff\xff"), "reach beyond"),
        "header-size": (patch(fine, local, 22, b"\x07"), "another size in its own header"),
        "header-names": (patch(fine, local, 26, b"\xff\xff"), "reach beyond"),
        "list-elsewhere": (patch(fine, end, 16, b"\xff\xff\xff"), "the zip's list would begin"),
        "list-size": (patch(fine, end, 12, b"\xff\xff\xff"), "the zip's list would begin"),
        "list-count": (patch(fine, end, 10, b"\x09"), "the zip's list is damaged"),
        "zip64-missing": (patch(fine, end, 16, b"\xff\xff\xff\xff"), "without its records"),
        "truncated": (fine[:-30], "not a whole zip"),
        "empty-zip": (end + bytes(18), "without data.pkl"),
        "other-zip": (other_zip(), "without data.pkl"),
        "twice": (torch_zip(more=[("archive/data/0", DATA)]), "is there twice"),
        "big-endian": (torch_zip(more=[("archive/byteorder", "big")]), "byteorder"),
        "program": (torch_zip(more=[("archive/constants.pkl", b"\x80\x02).")]), "TorchScript"),
        "git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS"),
        "web-page": (b"<!DOCTYPE html><html></html>", "a web page"),
        "bare-pickle": (pickle.dumps({"a": 1}, 2), "a bare pickle"),
        "old-torch": (old_torch(), "before its version 1.6"),
        "safetensors": (struct.pack("<Q", 2) + b"{}", "a safetensors file"),
        "empty": (b"", "an empty file"),
        "junk": (b"hello, world" * 9, "not a whole zip"),
    }
    folder = HERE / "bad"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, (data, _) in files.items():
        (folder / f"{name}.bin").write_bytes(data)
    (folder / "words.tsv").write_text("".join(f"{name}.bin\t{words}\n" for name, (_, words) in files.items()))


def other_zip():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return file.getvalue()


def old_torch():
    file = io.BytesIO()
    torch.save({"a": torch.ones(2)}, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


if __name__ == "__main__":
    good()
    bad()
