// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/op.h"

#include <stdio.h>
#include <string.h>

static const char *const names[EBB_OP_COUNT] = {
#define OP(NAME, name, words) [EBB_OP_##NAME] = (words),
#include "backend/ops.def"
#undef OP
};

void ebb_op_describe(const struct ebb_program *program, const struct ebb_op *op, char *text, size_t size)
{
    const struct ebb_operand *operands = program->operands, *dst = &operands[op->dst];
    const struct ebb_operand *from = op->kind == EBB_OP_NORM && op->src[0] >= 0 ? &operands[op->src[0]] : dst;
    char kernel[32] = "";
    if (op->weight)
        snprintf(kernel, sizeof(kernel), " %dx%d %d ->", op->weight->kh, op->weight->kw, op->weight->cin);
    snprintf(text, size, "%s%s %d, %d x %d%s", names[op->kind], kernel,
             op->kind == EBB_OP_NORM ? dst->c / 2 : dst->c, from->h, from->w,
             op->kind == EBB_OP_CONV && op->stride == 2 ? ", stride 2" : "");
    size_t used = strlen(text);
    if (dst->n > 1)
        snprintf(text + used, size - used, ", batch %d", dst->n);
}
