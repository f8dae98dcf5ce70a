// SPDX-License-Identifier: LGPL-2.1-or-later
// The gradient of attention, the keys' half: dk and dv of one key of one head a workgroup, queries in tiles.
// What the other half found for each query lies in scratch.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint Q = BANK_NONE;
layout(constant_id = 2) const uint K = BANK_NONE;
layout(constant_id = 3) const uint V = BANK_NONE;
layout(constant_id = 4) const uint G = BANK_NONE;
layout(constant_id = 5) const uint DST = BANK_NONE;

layout(push_constant) uniform Push { attention_grad_push p; };

#define THREADS 64u
#define MOST 1024u // head width; checked before
layout(local_size_x = THREADS) in;
shared vec2 tile[THREADS]; // of a query: gradient of the score, probability

uint width, base, own; // of a head; of its first query; of this key

vec2 pair(uint head, uint n, uint query)
{
    uint q = p.q + base + query * p.channels, g = p.g + base + query * p.channels;
    float s = 0.0, d = 0.0;
    for (uint i = 0; i < width; i++) {
        s += fetch(Q, q + i) * fetch(K, p.k + own + i);
        d += fetch(G, g + i) * fetch(V, p.v + own + i);
    }
    uint row = p.partial + 2 * ((n * p.heads + head) * p.tokens + query);
    float probability = exp(s * p.scale - scratch[row]);
    return vec2(probability * (d - scratch[row + 1]) * p.scale, probability);
}

void main()
{
    uint token = gl_WorkGroupID.x, head = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    uint me = gl_LocalInvocationIndex;
    width = p.channels / p.heads;
    base = n * p.tokens * p.channels + head * width;
    own = base + token * p.channels;

    float dk[MOST / THREADS], dv[MOST / THREADS]; // this invocation's dimensions me, me + 64, ...
    for (uint i = 0; i < MOST / THREADS; i++)
        dk[i] = dv[i] = 0.0;
    for (uint first = 0; first < p.tokens; first += THREADS) {
        if (first + me < p.tokens)
            tile[me] = pair(head, n, first + me);
        barrier();
        for (uint j = 0; j < min(THREADS, p.tokens - first); j++)
            for (uint i = 0; i * THREADS + me < width; i++) {
                uint at = base + (first + j) * p.channels + i * THREADS + me;
                dk[i] += tile[j].x * fetch(Q, p.q + at);
                dv[i] += tile[j].y * fetch(G, p.g + at);
            }
        barrier();
    }
    uint to = p.dst + (n * p.tokens + token) * 3 * p.channels + head * width;
    for (uint i = 0; i * THREADS + me < width; i++) {
        put(DST, to + p.channels + i * THREADS + me, dk[i]);
        put(DST, to + 2 * p.channels + i * THREADS + me, dv[i]);
    }
}
