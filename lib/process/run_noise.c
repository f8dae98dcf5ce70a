// SPDX-License-Identifier: LGPL-2.1-or-later
#include "process/run_noise.h"

#include <stdlib.h>

#include "base/base.h"

enum ebb_result ebb_run_noise_init(struct ebb_run_noise *draws, struct ebb_error *error)
{
    draws->drawn = ebb_alloc(draws->count, sizeof(float));
    draws->turned = ebb_alloc(draws->count, sizeof(float));
    return draws->drawn && draws->turned ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for noise");
}

void ebb_run_noise_clear(struct ebb_run_noise *draws)
{
    ebb_buffer_destroy(&draws->ahead);
    free(draws->drawn);
    free(draws->turned);
    *draws = (struct ebb_run_noise){0};
}

void ebb_run_noise_seed(struct ebb_run_noise *draws, const struct ebb_reverse_noise *noise)
{
    draws->noise = *noise;
    if (noise->source != EBB_NOISE_TORCH)
        return;
    ebb_torch_noise_seed(&draws->torch[0], noise->seed.from + noise->address.index);
    ebb_torch_noise_seed(&draws->torch[1], noise->seed.to + noise->address.index);
}

// Into `turned`, which serves as scratch before.
static void draw(struct ebb_run_noise *draws, uint64_t number, float *turned)
{
    const struct ebb_reverse_noise *noise = &draws->noise;
    if (noise->source != EBB_NOISE_TORCH) {
        struct ebb_noise_address address = noise->address;
        address.draw = (uint32_t)number;
        struct ebb_noise_place place = ebb_noise_place(&address);
        ebb_noise_draw(&noise->seed, place.clip, place.draw, place.first, draws->count, draws->drawn, turned);
    } else {
        ebb_torch_noise_draw(&draws->torch[0], draws->count, draws->drawn);
        if (noise->seed.share > 0) {
            ebb_torch_noise_draw(&draws->torch[1], draws->count, turned);
            ebb_noise_slerp(draws->drawn, turned, noise->seed.share, draws->count);
        }
    }

    size_t h = draws->h, w = draws->w, pixels = h * w, channels = draws->c;
    bool down = draws->down && noise->source == EBB_NOISE_TORCH;
    for (size_t channel = 0; channel < channels; channel++)
        for (size_t i = 0; i < pixels; i++)
            turned[i * channels + channel] = draws->drawn[channel * pixels + (down ? i % w * h + i / w : i)];
}

enum ebb_result ebb_run_noise_one(struct ebb_run_noise *draws, uint64_t number, struct ebb_buffer *dst,
                                  struct ebb_error *error)
{
    draw(draws, number, draws->turned);
    return ebb_buffer_write(dst, 0, draws->turned, draws->count, error);
}

bool ebb_run_noise_fit(const struct ebb_run_noise *draws, size_t last)
{
    const size_t most = (64u << 20) / sizeof(float); // half of what a buffer must be able to hold on Vulkan
    return last <= most / draws->count;
}

static enum ebb_result grow(struct ebb_run_noise *draws, size_t last, struct ebb_error *error)
{
    if (last <= draws->capacity)
        return EBB_OK;
    draws->capacity = 0;
    ebb_buffer_destroy(&draws->ahead);
    float *turned = realloc(draws->turned, last * draws->count * sizeof(float));
    if (!turned)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the noise of a run");
    draws->turned = turned;
    draws->ahead = ebb_buffer_create(draws->device, last * draws->count, error);
    if (!draws->ahead)
        return error->code;
    draws->capacity = last;
    return EBB_OK;
}

enum ebb_result ebb_run_noise_all(struct ebb_run_noise *draws, size_t last, struct ebb_error *error)
{
    enum ebb_result result = grow(draws, last, error);
    if (result != EBB_OK || last == 0)
        return result;
    for (size_t i = 0; i < last; i++)
        draw(draws, i + 1, draws->turned + i * draws->count);
    return ebb_buffer_write(draws->ahead, 0, draws->turned, last * draws->count, error);
}
