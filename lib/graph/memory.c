// SPDX-License-Identifier: LGPL-2.1-or-later
// Places of operands in the arena. Each operand lives from its op to its last reader. The largest is placed
// first, each at the lowest offset that is free during its life ("greedy by size", Pisarchyk and Lee 2020).
// Where a backend can write a result over the source, both are one operand with one life.
#include <stdint.h>
#include <stdlib.h>

#include "base/base.h"
#include "graph/fuse.h"

struct life {
    int operand, from, to; // ops, inclusive
    int into;              // the operand whose place it takes over, -1: none
    size_t size, offset;
};

// Floats of an operand, rounded up to a multiple of the offsets' alignment.
static size_t operand_floats(const struct ebb_operand *t)
{
    size_t floats = (size_t)t->n * (size_t)t->h * (size_t)t->w * (size_t)t->c;
    return (floats + EBB_OPERAND_ALIGN - 1) / EBB_OPERAND_ALIGN * EBB_OPERAND_ALIGN;
}

static void reads(struct life *lives, int operand, int op)
{
    if (operand >= 0)
        lives[operand].to = op;
}

static void find_lives(const struct ebb_lowered *lowered, struct life *lives)
{
    for (int i = 0; i < lowered->operand_count; i++)
        lives[i] = (struct life){.operand = i,
                                 .from = -1,
                                 .into = -1,
                                 .size = operand_floats(&lowered->operands[i])};
    for (int i = 0; i < lowered->op_count; i++) {
        const struct ebb_op *op = &lowered->ops[i];
        lives[op->dst].from = lives[op->dst].to = i;
        for (int k = 0; k < EBB_OP_SOURCES; k++)
            reads(lives, op->src[k], i);
        reads(lives, op->affine, i);
        reads(lives, op->vector, i);
        reads(lives, op->residual, i);
        reads(lives, op->film, i);
    }
}

// Whether op `i` is the last to read its first source, and reads it as that alone.
static bool is_last_reader(const struct ebb_op *op, int i, const struct life *lives)
{
    int src = op->src[0];
    return src >= 0 && lives[src].to == i && op->src[1] != src && op->residual != src &&
           lives[src].size == lives[op->dst].size;
}

static void join_lives(const struct ebb_lowered *lowered, ebb_in_place in_place, struct life *lives)
{
    for (int i = 0; in_place && i < lowered->op_count; i++) {
        const struct ebb_op *op = &lowered->ops[i];
        const struct ebb_operand *t = lowered->operands;
        if (!is_last_reader(op, i, lives) || t[op->src[0]].place != EBB_PLACE_ARENA ||
            t[op->dst].place != EBB_PLACE_ARENA || !in_place(t, op))
            continue;
        int first = lives[op->src[0]].into >= 0 ? lives[op->src[0]].into : op->src[0];
        lives[op->dst].into = first;
        lives[first].to = lives[op->dst].to;
    }
}

static int larger_first(const void *a, const void *b)
{
    const struct life *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->operand - y->operand;
}

// The lowest offset at which lives[index] meets none of those placed before it. `placed`: sorted by offset.
static size_t find_gap(const struct life *life, const struct life *const *placed, int count)
{
    size_t offset = 0;
    for (int i = 0; i < count; i++) {
        const struct life *other = placed[i];
        if (other->to < life->from || other->from > life->to)
            continue;
        if (other->offset >= offset + life->size)
            break;
        if (other->offset + other->size > offset)
            offset = other->offset + other->size;
    }
    return offset;
}

// Puts `life` among those placed before it, which stay sorted by offset.
static void insert(const struct life *life, const struct life **placed, int count)
{
    int at = count;
    for (; at > 0 && placed[at - 1]->offset > life->offset; at--)
        placed[at] = placed[at - 1];
    placed[at] = life;
}

static size_t place(struct ebb_lowered *lowered, bool reuse, ebb_in_place in_place, struct life *lives,
                    const struct life **placed)
{
    size_t count = (size_t)lowered->operand_count, end = 0;
    int placed_count = 0;
    find_lives(lowered, lives);
    join_lives(lowered, reuse ? in_place : NULL, lives);
    qsort(lives, count, sizeof(*lives), larger_first);
    for (size_t i = 0; i < count; i++) {
        struct life *life = &lives[i];
        if (lowered->operands[life->operand].place != EBB_PLACE_ARENA || life->into >= 0)
            continue;
        life->offset = reuse ? find_gap(life, placed, placed_count) : end;
        insert(life, placed, placed_count++);
        lowered->operands[life->operand].offset = life->offset;
        end = life->offset + life->size > end ? life->offset + life->size : end;
    }
    for (size_t i = 0; i < count; i++)
        if (lives[i].into >= 0)
            lowered->operands[lives[i].operand].offset = lowered->operands[lives[i].into].offset;
    return end;
}

size_t ebb_place(struct ebb_lowered *lowered, bool reuse, ebb_in_place in_place)
{
    size_t count = (size_t)lowered->operand_count;
    struct life *lives = ebb_alloc(count, sizeof(*lives));
    const struct life **placed = ebb_alloc(count, sizeof(*placed));
    size_t end = lives && placed ? place(lowered, reuse, in_place, lives, placed) : SIZE_MAX;
    free(lives);
    free(placed);
    return end;
}
