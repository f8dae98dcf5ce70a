// SPDX-License-Identifier: LGPL-2.1-or-later
// Weights, the packed forms that backends make of them, and activations: shared by networks and backends.
#ifndef EBB_BACKEND_WEIGHT_H
#define EBB_BACKEND_WEIGHT_H

#include <stddef.h>

enum ebb_act {
    EBB_ACT_NONE,
    EBB_ACT_SILU,
    EBB_ACT_GELU, // x (1 + erf(x / sqrt(2))) / 2
    EBB_ACT_RELU,
    EBB_ACT_MISH,
    EBB_ACT_GELU_TANH,  // x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
    EBB_ACT_QUICK_GELU, // x / (1 + exp(-1.702 x))
    EBB_ACT_TANH,
    EBB_ACT_LEAKY, // ReLU with a slope below 0
};

// How a number is held.
enum ebb_number { EBB_FLOAT32, EBB_FLOAT16, EBB_BFLOAT16 };
size_t ebb_number_size(enum ebb_number number); // bytes
void ebb_widen(enum ebb_number number, const void *data, size_t count, float *out);

// Panels of EBB_PANEL output channels, each (kh * kw * cin, width): the width is 32, or 16 for a last panel
// of at most 16 channels, padded with zeros. This is the order in which the inner loops of CPUs read weights,
// so that a weight need not be held twice.
enum { EBB_PANEL = 32 };
struct ebb_panels {
    const void *data; // 64-byte aligned; NULL: none
    enum ebb_number number;
};
int ebb_panel_width(int channels, int panel);
size_t ebb_panels_numbers(size_t depth, int channels); // in all panels; depth: kh * kw * cin

// A weight (cout, kh, kw, cin). Vectors and norms have cout = length, the rest 1. It is held once: as
// float32, row-major in `data`, or as `panels`, in 16 bits where the file has 16. The network owns it.
// `packed` lists the backends' packed forms, which all plans and threads share; NULL before the first use.
struct ebb_weight {
    const char *name;  // as in the file, for messages
    const float *data; // NULL: held as panels
    int cout, kh, kw, cin;
    struct ebb_packed *packed; // guarded by ebb_packed_get(); freed by ebb_weight_release()
    struct ebb_panels panels;
};

// The numbers of all output channels at place `k` of (kh, kw, cin).
void ebb_weight_read(const struct ebb_weight *weight, size_t k, float *out);
// The numbers of output channel `c`, (kh, kw, cin): of a table, row `c`.
void ebb_weight_row(const struct ebb_weight *weight, int c, float *out);
// The weight as float32, row-major: `data`, or a packed form made on the first call. NULL: out of memory.
const float *ebb_weight_plain(struct ebb_weight *weight);

// One packed form of a weight; backends embed this at the head of their own struct.
struct ebb_packed {
    struct ebb_packed *next;
    const void *owner; // a static table for the host's backends, the device for others
    int form;          // the owner's number for it
    void (*destroy)(struct ebb_packed *packed);
};

// The packed form `form` of `weight`. `make` makes it on the first call; other threads wait for it. NULL:
// `make` returned NULL.
struct ebb_packed *ebb_packed_get(struct ebb_weight *weight, const void *owner, int form,
                                  struct ebb_packed *(*make)(const struct ebb_weight *weight, void *context),
                                  void *context);

// Frees all packed forms of a weight. The weight's owner calls it once the last plan that used the weight
// is destroyed.
void ebb_weight_release(struct ebb_weight *weight);

#endif
