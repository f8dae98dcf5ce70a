// SPDX-License-Identifier: LGPL-2.1-or-later
// The gradient of attention, the queries' half: with P = softmax(scale q k^T) and D = g v^T, that of the
// scores is P (D - mean of D under P). A workgroup per query and head: the log of the sum and the mean, which
// the keys' half needs as well, then dq, keys in tiles. All in 32 bits.
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
#include "total.glsl"
shared float tile[THREADS];

uint width, base, own; // of a head; of its first key; of this query

// Score and D of a key.
vec2 pair(uint key)
{
    uint k = p.k + base + key * p.channels, v = p.v + base + key * p.channels;
    vec2 sum = vec2(0.0);
    for (uint d = 0; d < width; d++)
        sum += vec2(fetch(Q, p.q + own + d) * fetch(K, k + d), fetch(G, p.g + own + d) * fetch(V, v + d));
    return vec2(sum.x * p.scale, sum.y);
}

// The largest of all invocations' values.
float largest(float mine)
{
    tile[gl_LocalInvocationIndex] = mine;
    barrier();
    for (uint j = 0; j < THREADS; j++)
        mine = max(mine, tile[j]);
    barrier();
    return mine;
}

void main()
{
    uint token = gl_WorkGroupID.x, head = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    uint me = gl_LocalInvocationIndex;
    width = p.channels / p.heads;
    base = n * p.tokens * p.channels + head * width;
    own = base + token * p.channels;

    // Each over its own keys, then all: sums of e^(score - most) and of that times D.
    float most = -3.4e38, sum = 0.0, weighted = 0.0;
    for (uint key = me; key < p.tokens; key += THREADS) {
        vec2 s = pair(key);
        float top = max(most, s.x), shrink = exp(most - top), e = exp(s.x - top);
        sum = sum * shrink + e;
        weighted = weighted * shrink + e * s.y;
        most = top;
    }
    float top = largest(most), shrink = exp(most - top), all = total(sum * shrink);
    float mean = total(weighted * shrink) / all, log_sum = top + log(all);
    if (me == 0) {
        uint row = p.partial + 2 * ((n * p.heads + head) * p.tokens + token);
        scratch[row] = log_sum;
        scratch[row + 1] = mean;
    }

    float dq[MOST / THREADS]; // this invocation's dimensions me, me + 64, ...
    for (uint i = 0; i < MOST / THREADS; i++)
        dq[i] = 0.0;
    for (uint first = 0; first < p.tokens; first += THREADS) {
        if (first + me < p.tokens) {
            vec2 s = pair(first + me);
            tile[me] = exp(s.x - log_sum) * (s.y - mean) * p.scale;
        }
        barrier();
        for (uint j = 0; j < min(THREADS, p.tokens - first); j++)
            for (uint i = 0; i * THREADS + me < width; i++)
                dq[i] += tile[j] * fetch(K, p.k + base + (first + j) * p.channels + i * THREADS + me);
        barrier();
    }
    uint to = p.dst + (n * p.tokens + token) * 3 * p.channels + head * width;
    for (uint i = 0; i * THREADS + me < width; i++)
        put(DST, to + i * THREADS + me, dq[i]);
}
