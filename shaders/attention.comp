// SPDX-License-Identifier: LGPL-2.1-or-later
// softmax(q k^T scale + bias) v, one query of one head a workgroup: keys in tiles, a running maximum and sum
// (Milakov and Gimelshein 2018), so that no row of scores is ever stored. All in 32 bits.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint Q = BANK_NONE;
layout(constant_id = 2) const uint K = BANK_NONE;
layout(constant_id = 3) const uint V = BANK_NONE;
layout(constant_id = 4) const uint DST = BANK_NONE;
layout(constant_id = 5) const uint BIAS = BANK_NONE;
layout(constant_id = 6) const uint CAUSAL = 0;

layout(push_constant) uniform Push { attention_push p; };

#define THREADS 64u
#define MOST 1024u // head width; checked before
layout(local_size_x = THREADS) in;
shared float query[MOST];
shared float score[THREADS];

void main()
{
    uint width = p.channels / p.heads;
    uint token = gl_WorkGroupID.x, head = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    uint me = gl_LocalInvocationIndex, own = (n * p.queries + token) * p.channels + head * width;
    uint base = n * p.tokens * p.channels + head * width; // of the first key
    uint bias = p.bias + n * p.bias_image + head * p.bias_head + token * p.bias_query;
    uint seen = CAUSAL == 1 ? token + 1 + p.tokens - p.queries : p.tokens;
    for (uint d = me; d < width; d += THREADS)
        query[d] = fetch(Q, p.q + own + d) * p.scale;

    float sum[MOST / THREADS]; // this invocation's dimensions me, me + 64, ...
    for (uint i = 0; i < MOST / THREADS; i++)
        sum[i] = 0.0;
    float most = -3.4e38, weight = 0.0;
    barrier();
    for (uint first = 0; first < seen; first += THREADS) {
        uint key = first + me, keys = min(THREADS, seen - first);
        float s = -3.4e38;
        if (key < seen) {
            s = 0.0;
            for (uint d = 0; d < width; d++)
                s += query[d] * fetch(K, p.k + base + key * p.channels + d);
            if (BIAS != BANK_NONE)
                s += max(fetch(BIAS, bias + key), -1e30);
        }
        score[me] = s;
        barrier();
        float top = most;
        for (uint j = 0; j < keys; j++)
            top = max(top, score[j]);
        float shrink = exp(most - top);
        weight *= shrink;
        for (uint i = 0; i * THREADS < width; i++)
            sum[i] *= shrink;
        for (uint j = 0; j < keys; j++) {
            float e = exp(score[j] - top);
            weight += e;
            for (uint i = 0; i * THREADS + me < width; i++)
                sum[i] += e * fetch(V, p.v + base + (first + j) * p.channels + i * THREADS + me);
        }
        most = top;
        barrier();
    }
    for (uint i = 0; i * THREADS + me < width; i++)
        put(DST, p.dst + own + i * THREADS + me, sum[i] / weight);
}
