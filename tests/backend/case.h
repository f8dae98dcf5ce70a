// SPDX-License-Identifier: LGPL-2.1-or-later
// One op (and whatever fuses with it) evaluated on a device, the same case on every device.
#ifndef EBB_TESTS_CASE_H
#define EBB_TESTS_CASE_H

#include "graph/fixture.h"

// What to build; zero is off. Source (n, h, w, c).
struct op_case {
    const char *name;
    int n, h, w, c;
    int concat; // channels of a second source
    bool upsample;
    int groups; // group norm
    bool film;
    enum ebb_act act;
    int cout, kernel, stride; // convolution; kernel 0: none
    enum ebb_pad pad;
    int dilation; // > 0: the convolution is along w alone
    int up, cut;  // up > 0: it is a transposed one along w of this stride; `cut` is its padding
    bool bias, vector, residual;
    float scale;
    bool pool, layer_norm, plain; // plain: the layer norm has no weights
    int heads;                    // attention; keys of `tokens` pixels if > 0, else of the source itself
    int tokens;
    // Of transformers.
    bool rms;
    enum ebb_act gate; // 0: no gate
    bool apart;        // the gate is an input of its own, not half of the channels
    int join;          // tokens of a second sequence
    bool turn;
    bool odd; // upsampled to one less than twice h and w
    enum { NO_BIAS, BIAS_PADDING, BIAS_POSITIONS, BIAS_EVERYTHING } scores;
    bool causal;
    float score_scale;
    bool bf16;   // convolutions in bfloat16, where the device has it
    int in_bits; // significant bits of inputs; 0: all
    int bits;    // significant bits of the convolution's weights; 0: all
    bool panels; // they are held as panels, of `number`
    enum ebb_number number;
};

// Cases that only transformers have.
extern const struct op_case transformer_cases[];
extern const int transformer_case_count;

// Item `item` alone if >= 0, else all n. Fills *count; NULL on failure. Freed by the caller.
float *run_case(const char *device_name, int threads, const struct op_case *c, unsigned flags, int item,
                size_t *count);

// max|a - b| / max|b|; infinite when something is not finite.
double relative_error(const float *a, const float *b, size_t count);

#endif
