// SPDX-License-Identifier: LGPL-2.1-or-later
// What each shader is told per run; read by C (where uint is uint32_t) and GLSL. At most 128 bytes.
#ifndef EBB_SHADERS_PUSH_H
#define EBB_SHADERS_PUSH_H

// The load and the epilogue of conv*.comp and map.comp. Offsets count elements of their bank.
struct load_push {
    uint n, h, w;             // of dst
    uint src_h, src_w;        // of what is loaded, after upsampling
    uint c0, c1;              // channels of the two sources
    uint cout;                // of dst
    uint src0, src1, dst, affine, vector, residual;
    uint bias;                // in scratch; 0xffffffff: none
    uint weight_stride;       // floats from one row of the packed weight to the next
    int pad;
    uint split;               // K is cut in this many parts; partial sums go to `partial`
    uint partial;             // offset in scratch
    uint stats;               // in scratch, where statistics of the result go (stats.glsl); ~0: nobody asks
    float scale;
};

struct norm_push {
    uint n, pixels, c0, c1, groups;
    uint stats0, stats1; // statistics of the two sources, in scratch
    uint tile0, tile1;   // pixels that each of them covers
    uint dst, film;
    uint gamma, beta; // in scratch; 0xffffffff: none
    float eps;
};

struct stats_push {
    uint n, pixels, c, tile;
    uint src, stats;
};

// attention.comp: queries, and channels of their answers, that a workgroup makes.
#define ATTENTION_QUERIES 16u
#define ATTENTION_WIDE 128u

struct attention_push {
    uint queries, tokens, channels, heads; // tokens: keys and values
    uint q, k, v, dst, bias;
    uint bias_image, bias_head, bias_query; // steps; 0: one for all
    float scale;
};

struct pool_push {
    uint n, h, w, c; // of dst
    uint src_h, src_w;
    uint src, dst;
};

// mean.comp and softmax.comp: `images` of `pixels` places of c channels.
struct mean_push {
    uint images, pixels, c;
    uint src, dst;
};

struct layer_norm_push {
    uint places, c; // places: of all images
    uint src, dst;
    uint gamma, beta; // in scratch; 0xffffffff: none
    uint rms;         // 1: the mean counts as 0
    float eps;
};

struct gate_push {
    uint count, c; // count: values of dst
    uint x, gate, dst;
    uint halves; // 1: x has 2c channels, and the gates are the later half of them
};

struct turn_push {
    uint count, h, w, c; // of dst; count: values of all images
    uint src, dst;
};

// One of the two sources: `count` values an image go to where `start` says.
struct join_push {
    uint images, count;
    uint src, dst;
    uint start, whole; // in an image of dst, and values of such an image
};

// A place of dst reads that of src at (y / stride, x / stride) if it is at `spot` of its block;
// 0xffffffff: anywhere in it.
struct spread_push {
    uint n, h, w, c; // of dst
    uint src_h, src_w, src_c, first;
    uint src, dst;
    uint stride, spot;
    float scale;
};

struct act_grad_push {
    uint count, pixels, c; // count: values of all images
    uint g, x, dst, affine;
};

struct norm_grad_push {
    uint pixels, c, groups;
    uint g, x, dst, film;
    uint gamma; // in scratch; 0xffffffff: none
    float eps;
};

// Both halves; between them, for each head and query, log of the sum of exp(score) and the mean of g v^T
// in `partial`.
struct attention_grad_push {
    uint tokens, channels, heads; // channels: of q
    uint q, k, v, g, dst;
    uint partial; // offset in scratch
    float scale;
};

struct blend_push {
    uint count, terms, copies; // dst is written `copies` times, one after the other
    uint dst;
    uint src[4]; // offsets of up to four terms; more terms run in passes that add to dst
    float weight[4];
    uint noise_scale; // 1: the last term is multiplied by the factors
    uint factor;      // offset of the first of them
    uint accumulate;  // 1: starts from dst
    float clamp_to, divide;
};

struct threshold_push {
    uint offset, count;
    uint rank; // of the quantile, from below
    float part; // of the way to the next rank
    float most;
};

struct sum_squares_push {
    uint offset, count;
};

#endif
