// SPDX-License-Identifier: LGPL-2.1-or-later
// Operands in memory: every operand is in a bank, chosen when the pipeline is made, at an offset given when
// it runs. With FP16, activations (h * w > 1) are 16 bits in the arena, vectors and everything outside the
// arena stay 32 bits.
#ifdef FP16
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define STORE float16_t
#define STORE4 f16vec4
#else
#define STORE float
#define STORE4 vec4
#endif

// Bank numbers; backend/vulkan/pipeline.h has the same.
#define BANK_NONE 0u
#define BANK_ARENA 1u
#define BANK_HALF 2u
#define BANK_STEPS 3u
#define BANK_OUTSIDE 4u // to 7: the buffers given to run()

layout(set = 0, binding = 0) buffer Arena { float arena[]; };
layout(set = 0, binding = 0) buffer Arena4 { vec4 arena4[]; };
#ifdef FP16
layout(set = 0, binding = 1) buffer Half { float16_t half_[]; };
layout(set = 0, binding = 1) buffer Half4 { f16vec4 half4[]; };
#endif
layout(set = 0, binding = 2) readonly buffer Weights { STORE weights[]; };
layout(set = 0, binding = 2) readonly buffer Weights4 { STORE4 weights4[]; };
layout(set = 0, binding = 3) buffer Steps { float steps[]; };
// Constants first (biases, gamma, beta), then partial sums.
layout(set = 0, binding = 4) buffer Scratch { float scratch[]; };
layout(set = 1, binding = 0) buffer Outside0 { float outside0[]; };
layout(set = 1, binding = 1) buffer Outside1 { float outside1[]; };
layout(set = 1, binding = 2) buffer Outside2 { float outside2[]; };
layout(set = 1, binding = 3) buffer Outside3 { float outside3[]; };

float fetch(uint bank, uint i)
{
    switch (bank) {
    case BANK_ARENA: return arena[i];
#ifdef FP16
    case BANK_HALF: return float(half_[i]);
#endif
    case BANK_STEPS: return steps[i];
    case BANK_OUTSIDE: return outside0[i];
    case BANK_OUTSIDE + 1: return outside1[i];
    case BANK_OUTSIDE + 2: return outside2[i];
    case BANK_OUTSIDE + 3: return outside3[i];
    }
    return 0.0;
}

// Four neighbours; i is a multiple of 4.
vec4 fetch4(uint bank, uint i)
{
    switch (bank) {
    case BANK_ARENA: return arena4[i >> 2];
#ifdef FP16
    case BANK_HALF: return vec4(half4[i >> 2]);
#endif
    }
    return vec4(fetch(bank, i), fetch(bank, i + 1), fetch(bank, i + 2), fetch(bank, i + 3));
}

void put(uint bank, uint i, float value)
{
    switch (bank) {
    case BANK_ARENA: arena[i] = value; break;
#ifdef FP16
    case BANK_HALF: half_[i] = float16_t(value); break;
#endif
    case BANK_STEPS: steps[i] = value; break;
    case BANK_OUTSIDE: outside0[i] = value; break;
    case BANK_OUTSIDE + 1: outside1[i] = value; break;
    case BANK_OUTSIDE + 2: outside2[i] = value; break;
    case BANK_OUTSIDE + 3: outside3[i] = value; break;
    }
}
