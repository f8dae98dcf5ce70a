// Places of activations: liveness, then the largest first, each at the lowest offset that is free for its lifetime
// ("greedy by size", Pisarchyk and Lee 2020).
#include <stdint.h>
#include <stdlib.h>

#include "base/base.h"
#include "graph/fuse.h"

enum { ALIGN = 64 }; // floats: 256 bytes, the most that Vulkan asks of a storage buffer's offset

struct life {
    int tensor, from, to; // ops, inclusive
    size_t size, offset;
};

size_t ebb_tensor_floats(const struct ebb_tensor *t)
{
    size_t floats = (size_t)t->n * (size_t)t->h * (size_t)t->w * (size_t)t->c;
    return (floats + ALIGN - 1) / ALIGN * ALIGN;
}

static void reads(struct life *lives, int tensor, int op)
{
    if (tensor >= 0)
        lives[tensor].to = op;
}

static void find_lives(const struct ebb_lowered *lowered, struct life *lives)
{
    for (int i = 0; i < lowered->tensor_count; i++)
        lives[i] = (struct life){.tensor = i, .from = -1, .size = ebb_tensor_floats(&lowered->tensors[i])};
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

static int larger_first(const void *a, const void *b)
{
    const struct life *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->tensor - y->tensor;
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

size_t ebb_place(struct ebb_lowered *lowered, bool reuse)
{
    size_t count = (size_t)lowered->tensor_count, end = 0;
    struct life *lives = ebb_alloc(count, sizeof(*lives));
    const struct life **placed = ebb_alloc(count, sizeof(*placed));
    int placed_count = 0;
    if (!lives || !placed) {
        end = SIZE_MAX;
        goto done;
    }
    find_lives(lowered, lives);
    qsort(lives, count, sizeof(*lives), larger_first);

    for (size_t i = 0; i < count; i++) {
        struct life *life = &lives[i];
        if (lowered->tensors[life->tensor].place != EBB_PLACE_ARENA)
            continue;
        life->offset = reuse ? find_gap(life, placed, placed_count) : end;
        int at = placed_count++;
        for (; at > 0 && placed[at - 1]->offset > life->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = life;
        lowered->tensors[life->tensor].offset = life->offset;
        end = life->offset + life->size > end ? life->offset + life->size : end;
    }
done:
    free(lives);
    free(placed);
    return end;
}
