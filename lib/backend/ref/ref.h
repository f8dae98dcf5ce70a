// The reference: plain loops, sums in double. It is the specification of every op and the oracle of the tests.
#ifndef EBB_BACKEND_REF_H
#define EBB_BACKEND_REF_H

#include "backend/host.h"

// Element (n, y, x, c) as op.h's "load" defines it; y and x may lie outside.
struct ref_load {
    const float *src[2], *affine;
    int c[2], h, w; // h, w after upsampling
    const struct ebb_op *op;
};
struct ref_load ref_load_of(const struct ebb_host_run *run, const struct ebb_op *op);
double ref_load_at(const struct ref_load *load, int n, int y, int x, int c);

// Sum of products.
double ref_dot(const float *a, const float *b, int count);

void ref_conv(const struct ebb_host_run *run, const struct ebb_op *op);
void ref_map(const struct ebb_host_run *run, const struct ebb_op *op);
void ref_norm(const struct ebb_host_run *run, const struct ebb_op *op);
void ref_pool(const struct ebb_host_run *run, const struct ebb_op *op);
void ref_attention(const struct ebb_host_run *run, const struct ebb_op *op);

// grad.c
void ref_mean(const struct ebb_host_run *run, const struct ebb_op *op);
void ref_softmax(const struct ebb_host_run *run, const struct ebb_op *op);
void ref_spread(const struct ebb_host_run *run, const struct ebb_op *op);
void ref_act_grad(const struct ebb_host_run *run, const struct ebb_op *op);
void ref_norm_grad(const struct ebb_host_run *run, const struct ebb_op *op);
void ref_attention_grad(const struct ebb_host_run *run, const struct ebb_op *op);

#endif
