// SPDX-License-Identifier: LGPL-2.1-or-later
// softmax(q k^T scale + bias) v, some queries of one head a workgroup: keys in tiles, which all its queries
// share, a running maximum and sum (Milakov and Gimelshein 2018), so that no row of scores is ever stored
// (Dao et al. 2022). A workgroup makes WIDE channels of the answer; wider heads take several, and each
// computes the scores for itself. All in 32 bits.
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
#define QUERIES ATTENTION_QUERIES // of a workgroup
#define WIDE ATTENTION_WIDE
#define KEYS 64u                // of a tile
#define DEPTH 32u               // channels of queries, keys or values that are in shared memory at a time
#define LANES 16u               // invocations side by side: along keys, or along channels of the answer
#define OWN 4u                  // queries of an invocation
#define TEAM (THREADS / QUERIES) // invocations that see to the scores of a query
layout(local_size_x = THREADS) in;
shared float rows[QUERIES][DEPTH + 1];
shared float columns[KEYS][DEPTH + 1];
shared float score[QUERIES][KEYS + 1];
shared float tops[QUERIES][TEAM], sums[QUERIES][TEAM];
shared float most[QUERIES], weight[QUERIES], shrink[QUERIES];

const float NOTHING = -3.4e38;

uint width, first_query, head, n, me, lane, own;

// Channels [d, d + depth) of the queries.
void load_queries(uint d, uint depth)
{
    for (uint i = me; i < QUERIES * depth; i += THREADS) {
        uint query = first_query + i / depth, at = (n * p.queries + query) * p.channels + head * width;
        rows[i / depth][i % depth] = query < p.queries ? fetch(Q, p.q + at + d + i % depth) * p.scale : 0.0;
    }
}

// The same of the keys, or of their values, from key `first` on.
void load_tokens(uint bank, uint offset, uint first, uint d, uint depth)
{
    for (uint i = me; i < KEYS * depth; i += THREADS) {
        uint key = first + i / depth, at = (n * p.tokens + key) * p.channels + head * width;
        columns[i / depth][i % depth] = key < p.tokens ? fetch(bank, offset + at + d + i % depth) : 0.0;
    }
}

float masked(float s, uint query, uint key)
{
    uint seen = CAUSAL == 1 ? query + 1 + p.tokens - p.queries : p.tokens;
    if (query >= p.queries || key >= seen)
        return NOTHING;
    if (BIAS != BANK_NONE)
        s += max(fetch(BIAS, p.bias + n * p.bias_image + head * p.bias_head + query * p.bias_query + key),
                 -1e30);
    return s;
}

// The scores of a tile of keys: OWN queries and KEYS / LANES keys an invocation.
void find_scores(uint first)
{
    float s[OWN][KEYS / LANES];
    for (uint a = 0; a < OWN; a++)
        for (uint b = 0; b < KEYS / LANES; b++)
            s[a][b] = 0.0;
    for (uint d = 0; d < width; d += DEPTH) {
        uint depth = min(DEPTH, width - d);
        load_queries(d, depth);
        load_tokens(K, p.k, first, d, depth);
        barrier();
        for (uint i = 0; i < depth; i++)
            for (uint a = 0; a < OWN; a++)
                for (uint b = 0; b < KEYS / LANES; b++)
                    s[a][b] += rows[own + a][i] * columns[lane + b * LANES][i];
        barrier();
    }
    for (uint a = 0; a < OWN; a++)
        for (uint b = 0; b < KEYS / LANES; b++)
            score[own + a][lane + b * LANES] =
                masked(s[a][b], first_query + own + a, first + lane + b * LANES);
    barrier();
}

// Scores become shares of the largest so far, and what was summed up before is to be shrunk.
void take_scores()
{
    uint query = me / TEAM, part = me % TEAM;
    float top = NOTHING;
    for (uint j = part; j < KEYS; j += TEAM)
        top = max(top, score[query][j]);
    tops[query][part] = top;
    barrier();
    top = most[query];
    for (uint i = 0; i < TEAM; i++)
        top = max(top, tops[query][i]);
    float sum = 0.0;
    for (uint j = part; j < KEYS; j += TEAM) {
        float e = exp(score[query][j] - top);
        score[query][j] = e;
        sum += e;
    }
    sums[query][part] = sum;
    barrier();
    if (part == 0) {
        float before = exp(most[query] - top);
        shrink[query] = before;
        sum = weight[query] * before;
        for (uint i = 0; i < TEAM; i++)
            sum += sums[query][i];
        weight[query] = sum;
        most[query] = top;
    }
    barrier();
}

void main()
{
    uint slices = (p.channels / p.heads + WIDE - 1) / WIDE;
    width = p.channels / p.heads;
    first_query = gl_WorkGroupID.x * QUERIES;
    head = gl_WorkGroupID.y;
    n = gl_WorkGroupID.z / slices;
    me = gl_LocalInvocationIndex;
    lane = me % LANES;
    own = me / LANES * OWN;
    uint begin = gl_WorkGroupID.z % slices * WIDE; // of the channels of this workgroup
    uint last = min(first_query + QUERIES, p.queries);
    uint seen = CAUSAL == 1 ? last + p.tokens - p.queries : p.tokens;

    float answer[WIDE / LANES][OWN];
    for (uint c = 0; c < WIDE / LANES; c++)
        for (uint a = 0; a < OWN; a++)
            answer[c][a] = 0.0;
    if (me < QUERIES) {
        most[me] = NOTHING;
        weight[me] = 0.0;
    }
    barrier();
    for (uint first = 0; first < seen; first += KEYS) {
        find_scores(first);
        take_scores();
        for (uint c = 0; c < WIDE / LANES; c++)
            for (uint a = 0; a < OWN; a++)
                answer[c][a] *= shrink[own + a];
        for (uint c = 0; c < WIDE / DEPTH; c++) {
            uint d = begin + c * DEPTH;
            if (d >= width)
                break;
            load_tokens(V, p.v, first, d, min(DEPTH, width - d));
            barrier();
            for (uint j = 0; j < KEYS; j++)
                for (uint b = 0; b < DEPTH / LANES; b++)
                    for (uint a = 0; a < OWN; a++)
                        answer[c * (DEPTH / LANES) + b][a] +=
                            score[own + a][j] * columns[j][lane + b * LANES];
            barrier();
        }
    }
    for (uint c = 0; c < WIDE / LANES; c++) {
        uint d = begin + c * LANES + lane;
        for (uint a = 0; a < OWN; a++) {
            uint query = first_query + own + a, at = (n * p.queries + query) * p.channels + head * width;
            if (d < width && query < p.queries)
                put(DST, p.dst + at + d, answer[c][a] / weight[own + a]);
        }
    }
}
