// SPDX-License-Identifier: LGPL-2.1-or-later
// The backend ref: plain loops, sums in double. It specifies every op, and tests compare the other backends
// with it.
#ifndef EBB_BACKEND_REF_H
#define EBB_BACKEND_REF_H

#include "backend/host.h"

// Sum of products.
double ref_dot(const float *a, const float *b, int count);

// ref_conv() and so on: one function per op, in ops.c and ops_backward.c.
#define OP(NAME, name, words) void ref_##name(const struct ebb_host_run *run, const struct ebb_op *op);
#include "backend/ops.def"
#undef OP

#endif
