// SPDX-License-Identifier: LGPL-2.1-or-later
// The diffused state as the mel it stands for, and back: through the autoencoder where there is one.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/workspace.h"

struct ebb_coder { // half of an autoencoder, for states with `w` columns
    struct ebb_coder *next;
    int w;
    bool encodes;
    struct ebb_plan *plan;
    struct ebb_buffer *input, *output;
    float *latent; // the decoder's input or the encoder's output
};

static void destroy_coder(struct ebb_coder **coder)
{
    struct ebb_coder *d = *coder;
    if (!d)
        return;
    ebb_buffer_destroy(&d->input);
    ebb_buffer_destroy(&d->output);
    ebb_plan_destroy(&d->plan);
    free(d->latent);
    free(d);
    *coder = NULL;
}

void ebb_coders_destroy(struct ebb_coder **coders)
{
    while (*coders) {
        struct ebb_coder *coder = *coders;
        *coders = coder->next;
        destroy_coder(&coder);
    }
}

// The autoencoder's pictures: (rows, columns, channels), of a state with `w` columns.
static size_t channels_of(const struct ebb_model *model)
{
    return (size_t)ebb_autoencoder_out_channels(model->vae);
}

static size_t rows_of(const struct ebb_model *model)
{
    return (size_t)(model->info.n_mels / model->patch[0]);
}

static size_t columns_of(const struct ebb_model *model, int w)
{
    return (size_t)w * (size_t)(model->state_stride / model->patch[1]);
}

static size_t picture_count(const struct ebb_model *model, int w)
{
    return rows_of(model) * columns_of(model, w) * channels_of(model);
}

static enum ebb_result plan_coder(struct ebb_model *model, struct ebb_coder *d, struct ebb_error *error)
{
    int h = model->state[1], c = model->state[0];
    size_t cells = picture_count(model, d->w), latent = (size_t)h * d->w * c * (d->encodes ? 2 : 1);
    struct ebb_graph *graph = ebb_graph_create();
    if (!graph)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");

    int rows = d->encodes ? (int)rows_of(model) : h;
    int columns = d->encodes ? (int)columns_of(model, d->w) : d->w;
    bool down = model->time_down;
    enum ebb_result result = (d->encodes ? ebb_encoder_build
                                         : ebb_decoder_build)(model->vae, graph, 1, down ? columns : rows,
                                                              down ? rows : columns, error);
    if (result != EBB_OK) {
        ebb_graph_destroy(&graph);
        return result;
    }

    d->latent = ebb_alloc(latent, sizeof(float));
    if (!d->latent) {
        ebb_graph_destroy(&graph);
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for an autoencoder");
    }
    d->plan = ebb_plan_create(model->device, graph, error);
    if (d->plan)
        d->input = ebb_buffer_create(model->device, d->encodes ? cells : latent, error);
    if (d->input)
        d->output = ebb_buffer_create(model->device, d->encodes ? latent : cells, error);
    return d->output ? EBB_OK : error->code;
}

static struct ebb_coder *find_coder(struct ebb_model *model, int w, bool encodes, struct ebb_error *error)
{
    struct ebb_coder **kept = ebb_workspace_coders(model);
    for (struct ebb_coder *d = *kept; d; d = d->next)
        if (d->w == w && d->encodes == encodes)
            return d;

    struct ebb_coder *d = ebb_alloc(1, sizeof(*d));
    if (!d) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for an autoencoder");
        return NULL;
    }
    d->w = w;
    d->encodes = encodes;
    if (plan_coder(model, d, error) != EBB_OK) {
        destroy_coder(&d);
        return NULL;
    }
    d->next = *kept;
    return *kept = d;
}

static enum ebb_result run_coder(struct ebb_coder *d, const float *input, float *output,
                                 struct ebb_error *error)
{
    enum ebb_result result = ebb_buffer_write(d->input, 0, input, ebb_buffer_count(d->input), error);
    if (result == EBB_OK)
        result = ebb_plan_run(d->plan, 0, &d->input, &d->output, error);
    if (result == EBB_OK)
        result = ebb_buffer_read(d->output, 0, output, ebb_buffer_count(d->output), error);
    return result;
}

enum { COLOURS = 3 };

// A picture in colours is heard as diffusers' AudioDiffusionPipeline hears it: as its luma, in 8 bits.
static bool has_colours(const struct ebb_model *model)
{
    return !model->vae && model->state[0] == COLOURS && model->patch[0] * model->patch[1] == 1;
}

// -1..1 -> 0..255, halves to even as numpy has them.
static int byte_of(float value)
{
    return (int)nearbyintf(fminf(fmaxf(value / 2 + 0.5f, 0), 1) * 255);
}

// 0.299 R + 0.587 G + 0.114 B in 16 bits of fraction, rounded, as PIL's convert("L") has it.
static float luma(const float rgb[COLOURS])
{
    int sum = byte_of(rgb[0]) * 19595 + byte_of(rgb[1]) * 38470 + byte_of(rgb[2]) * 7471;
    return (float)((sum + 0x8000) >> 16) / 255 * 2 - 1;
}

// ---- pictures ----

// Whether the autoencoder's pictures are in colours.
static bool paints(const struct ebb_model *model)
{
    return channels_of(model) == COLOURS && model->patch[0] * model->patch[1] == 1;
}

// (h, w, c) -> (w, h, c)
static void turn(const float *from, size_t h, size_t w, size_t c, float *to)
{
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++, from += c)
            memcpy(to + (x * h + y) * c, from, c * sizeof(*to));
}

// The same where time goes down the network's pictures; otherwise nothing changes. `room` has as many floats.
static void turn_for_network(const struct ebb_model *model, float *values, size_t h, size_t w, size_t c,
                             float *room)
{
    if (!model->time_down)
        return;
    turn(values, h, w, c, room);
    memcpy(values, room, h * w * c * sizeof(*values));
}

// The row of a band.
static size_t row_of(const struct ebb_model *model, int band)
{
    return (size_t)(model->high_first ? model->info.n_mels - 1 - band : band);
}

// Where a cell of the mel is in a picture of `columns`: squares of cells are folded into channels, as fold()
// does with a model that has no autoencoder.
static size_t place_of(const struct ebb_model *model, size_t row, size_t frame, size_t columns)
{
    size_t ph = model->patch[0], pw = model->patch[1];
    return (row / ph * columns + frame / pw) * channels_of(model) + row % ph * pw + frame % pw;
}

// Riffusion has a sound of one channel in all colours, and hears red. Other pictures in colours are heard as
// their luma.
static void hear_picture(const struct ebb_model *model, const float *picture, int w, float *mel)
{
    size_t columns = columns_of(model, w), frames = columns * model->patch[1];
    bool colours = model->mel.coding != EBB_MEL_CODING_RIFFUSION && paints(model);
    for (int band = 0; band < model->info.n_mels; band++)
        for (size_t i = 0; i < frames; i++) {
            const float *cell = picture + place_of(model, row_of(model, band), i, columns);
            *mel++ = colours ? luma(cell) : *cell;
        }
}

static void draw_picture(const struct ebb_model *model, const float *mel, int w, float *picture)
{
    size_t columns = columns_of(model, w), frames = columns * model->patch[1];
    size_t copies = paints(model) ? COLOURS : 1;
    for (int band = 0; band < model->info.n_mels; band++)
        for (size_t i = 0; i < frames; i++, mel++)
            for (size_t k = 0; k < copies; k++)
                picture[place_of(model, row_of(model, band), i, columns) + k] = *mel;
}

// Room for a picture and for it once more, turned; NULL: out of memory.
static float *picture_room(const struct ebb_model *model, const struct ebb_coder *d, struct ebb_error *error)
{
    size_t cells = picture_count(model, d->w);
    size_t latent = (size_t)model->state[0] * model->state[1] * d->w * 2;
    float *room = ebb_alloc(cells + (cells > latent ? cells : latent), sizeof(float));
    if (!room)
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a picture");
    return room;
}

// Power of what is above silence in a frame. A full-scale sine has a power of about 1.
static double power_of(const struct ebb_model *model, const float *mel, int frames, int k)
{
    double sum = 0;
    for (int band = 0; band < model->info.n_mels; band++) {
        double value = mel[(size_t)band * frames + k];
        if (value >= model->silence)
            sum += pow(10, (value * model->mel.db_range + model->mel.db_center) / 10);
    }
    return sum;
}

// An autoencoder errs by some dB where there is nothing, and what it leaves there is noise of its own. It
// errs most in a window's corners. So a frame is silent as a whole if all that is left of it is FAINT.
static void hush(const struct ebb_model *model, float *mel, int frames)
{
    const double faint = 1e-8;                                 // -80 dB
    bool known = model->mel.coding == EBB_MEL_CODING_ABSOLUTE; // other codings say no level
    for (int k = 0; k < frames; k++) {
        bool silent = known && power_of(model, mel, frames, k) < faint;
        for (int band = 0; band < model->info.n_mels; band++) {
            float *value = mel + (size_t)band * frames + k;
            *value = silent || *value < model->silence ? -1 : *value;
        }
    }
}

static enum ebb_result decode_latent(struct ebb_model *model, const float *state, int w, float *mel,
                                     struct ebb_error *error)
{
    struct ebb_coder *d = find_coder(model, w, false, error);
    float *picture = d ? picture_room(model, d, error) : NULL;
    if (!picture)
        return error->code;
    size_t c = model->state[0];
    float *room = picture + picture_count(model, w);
    for (size_t i = 0; i < ebb_buffer_count(d->input); i++)
        d->latent[i] = state[i] * model->latent_std + (model->latent_mean ? model->latent_mean[i % c] : 0);
    turn_for_network(model, d->latent, model->state[1], w, c, room);
    enum ebb_result result = run_coder(d, d->latent, picture, error);
    if (result == EBB_OK) {
        turn_for_network(model, picture, columns_of(model, w), rows_of(model), channels_of(model), room);
        hear_picture(model, picture, w, mel);
        if (model->silence > -1)
            hush(model, mel, w * model->state_stride);
    }
    free(picture);
    return result;
}

// Takes the mean from the encoder's output; in each pixel the logarithm of the variance follows it.
static enum ebb_result encode_latent(struct ebb_model *model, const float *mel, int w, float *state,
                                     struct ebb_error *error)
{
    struct ebb_coder *d = find_coder(model, w, true, error);
    float *picture = d ? picture_room(model, d, error) : NULL;
    if (!picture)
        return error->code;
    size_t c = model->state[0];
    float *room = picture + picture_count(model, w);
    draw_picture(model, mel, w, picture);
    turn_for_network(model, picture, rows_of(model), columns_of(model, w), channels_of(model), room);
    enum ebb_result result = run_coder(d, picture, d->latent, error);
    if (result == EBB_OK)
        turn_for_network(model, d->latent, w, model->state[1], 2 * c, room);
    free(picture);
    for (size_t i = 0; i < (size_t)model->state[1] * w * c && result == EBB_OK; i++) {
        float mean = d->latent[i / c * 2 * c + i % c];
        state[i] = (mean - (model->latent_mean ? model->latent_mean[i % c] : 0)) / model->latent_std;
    }
    return result;
}

// Channel i * pw + j of pixel (y, x) is the cell (y * ph + i, x * pw + j). Of a bare network of another
// domain, which has more channels than a mel has cells there, the first are taken.
static void unfold(const struct ebb_model *model, const float *state, int w, float *mel)
{
    int c = model->state[0], h = model->state[1], ph = model->patch[0], pw = model->patch[1];
    size_t frames = (size_t)w * pw;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < ph * pw && k < c; k++)
                mel[(size_t)(y * ph + k / pw) * frames + (size_t)x * pw + k % pw] =
                    state[((size_t)y * w + x) * c + k];
}

enum ebb_result ebb_workspace_decode(struct ebb_model *model, const float *state, int w, float *mel,
                                     struct ebb_error *error)
{
    if (model->vae)
        return decode_latent(model, state, w, mel, error);
    if (!has_colours(model))
        unfold(model, state, w, mel);
    for (size_t i = 0; i < (size_t)model->state[1] * w && has_colours(model); i++)
        mel[i] = luma(state + i * COLOURS);
    return EBB_OK;
}

// The other way round; grey, where there are colours; other channels that no cell belongs to are 0.
static void fold(const struct ebb_model *model, const float *mel, int w, float *state)
{
    bool grey = has_colours(model);
    int c = model->state[0], h = model->state[1], ph = model->patch[0], pw = model->patch[1];
    size_t frames = (size_t)w * pw;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                state[((size_t)y * w + x) * c + k] =
                    grey          ? mel[(size_t)y * frames + x]
                    : k < ph * pw ? mel[(size_t)(y * ph + k / pw) * frames + (size_t)x * pw + k % pw]
                                  : 0;
}

enum ebb_result ebb_workspace_encode(struct ebb_model *model, const float *mel, int w, float *state,
                                     struct ebb_error *error)
{
    if (model->vae)
        return encode_latent(model, mel, w, state, error);
    fold(model, mel, w, state);
    return EBB_OK;
}
