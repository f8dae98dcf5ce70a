// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/forward.h>

#include <math.h>

#include "backend/buffer.h"
#include "base/base.h"
#include "diffusion/noise.h"

enum { INPUTS = 3 };

static enum ebb_result check(const double *weight, const float *const *input, enum ebb_result result,
                             struct ebb_error *error)
{
    static const char *const names[INPUTS] = {"x", "x_0", "noise"};
    for (int i = 0; i < INPUTS && result == EBB_OK; i++) {
        if (!isfinite(weight[i]))
            result = ebb_fail(error, EBB_INVALID, "the weight of %s is %g, expected a finite number",
                              names[i], weight[i]);
        else if (weight[i] != 0 && !input[i])
            result = ebb_fail(error, EBB_INVALID, "%s is missing, its weight is %g", names[i], weight[i]);
    }
    return result;
}

enum ebb_result ebb_gaussian_draw(struct ebb_device *device, const struct ebb_gaussian *g, const float *x,
                                  const float *x0, const float *noise, float *out, size_t count,
                                  struct ebb_error *error)
{
    const double weight[INPUTS] = {g->x, g->x0, g->sd};
    const float *const input[INPUTS] = {x, x0, noise};
    error = EBB_ERROR(error);
    enum ebb_result result = check(weight, input, EBB_OK, error);
    struct ebb_buffer *buffer[INPUTS] = {NULL};
    struct ebb_blend blend = {.count = count};
    for (int i = 0; i < INPUTS && result == EBB_OK; i++) {
        if (weight[i] == 0 && !(i == INPUTS - 1 && blend.terms == 0)) // at least one term
            continue;
        buffer[i] = ebb_buffer_create(device, count, error);
        result = buffer[i] ? EBB_OK : error->code;
        if (result == EBB_OK && weight[i] != 0)
            result = ebb_buffer_write(buffer[i], 0, input[i], count, error);
        blend.src[blend.terms] = blend.dst = buffer[i];
        blend.weight[blend.terms++] = (float)weight[i];
    }
    if (result == EBB_OK)
        result = ebb_blend(device, &blend, error);
    if (result == EBB_OK)
        result = ebb_buffer_read(blend.dst, 0, out, count, error);
    for (int i = 0; i < INPUTS; i++)
        ebb_buffer_destroy(&buffer[i]);
    return result;
}

void ebb_noise_normal(uint64_t seed, uint64_t clip, uint32_t draw, float *out, size_t count)
{
    ebb_noise_philox(seed, clip, draw, 0, count, out);
}
