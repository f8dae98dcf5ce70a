#include "engine/engine.h"

#include <stdlib.h>

#include "audio/mel.h"
#include "base/base.h"

struct coder { // half of an autoencoder, for states with `w` columns
    struct coder *next;
    int w;
    bool encodes;
    struct ebb_plan *plan;
    struct ebb_buffer *input, *output;
    float *latent; // what goes into a decoder or comes out of an encoder
};

struct kept_loop {
    struct kept_loop *next;
    struct ebb_loop *loop;
};

struct ebb_engine {
    struct kept_loop *loops;
    struct coder *coders;
    struct ebb_mel *mel;
    struct ebb_phase *phase;
};

// ---- life ----

static void destroy_coder(struct coder **coder)
{
    struct coder *d = *coder;
    if (!d)
        return;
    ebb_buffer_destroy(&d->input);
    ebb_buffer_destroy(&d->output);
    ebb_plan_destroy(&d->plan);
    free(d->latent);
    free(d);
    *coder = NULL;
}

static void release(void *user)
{
    struct ebb_engine *engine = user;
    if (!engine)
        return;
    while (engine->loops) {
        struct kept_loop *kept = engine->loops;
        engine->loops = kept->next;
        ebb_loop_destroy(&kept->loop);
        free(kept);
    }
    while (engine->coders) {
        struct coder *coder = engine->coders;
        engine->coders = coder->next;
        destroy_coder(&coder);
    }
    ebb_phase_destroy(&engine->phase);
    ebb_mel_destroy(&engine->mel);
    free(engine);
}

static enum ebb_result load(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_error why = {EBB_NO_DEVICE, "no device"};
    struct ebb_device *device = ebb_device_create(NULL, 0, NULL, &why);
    enum ebb_result result = device ? ebb_model_load(model, device, &why) : why.code;
    ebb_device_destroy(&device); // the model keeps a reference of its own
    return result == EBB_OK ? EBB_OK : ebb_fail(error, why.code, "%s", why.message);
}

enum ebb_result ebb_engine_ready(struct ebb_model *model, struct ebb_error *error)
{
    if (!model->device) {
        enum ebb_result result = load(model, error);
        if (result != EBB_OK)
            return result;
    }
    if (!model->engine) {
        model->engine = ebb_alloc(1, sizeof(struct ebb_engine));
        model->engine_release = release;
    }
    return model->engine ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for an engine");
}

// ---- what is kept ----

static int same_size(const struct ebb_loop_size *a, const struct ebb_loop_size *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c && a->condition == b->condition;
}

// A model that does not fit on the GPU that "auto" chose goes to the CPU, as long as nothing of it is on the GPU yet.
static bool retreat(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_engine *engine = model->engine;
    bool may = error->code == EBB_OUT_OF_MEMORY && !engine->loops && !engine->coders;
    struct ebb_device *cpu = may ? ebb_device_retreat(model->device, error->message) : NULL;
    if (!cpu)
        return false;
    model->engine = NULL; // loading would release it; it holds nothing of the old device
    enum ebb_result result = ebb_model_load(model, cpu, error);
    model->engine = engine;
    ebb_device_destroy(&cpu);
    return result == EBB_OK;
}

struct ebb_loop *ebb_engine_loop(struct ebb_model *model, const struct ebb_loop_size *size, struct ebb_error *error)
{
    struct ebb_engine *engine = model->engine;
    for (struct kept_loop *kept = engine->loops; kept; kept = kept->next)
        if (same_size(ebb_loop_size(kept->loop), size))
            return kept->loop;

    struct kept_loop *kept = ebb_alloc(1, sizeof(*kept));
    if (!kept) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a step loop");
        return NULL;
    }
    kept->loop = ebb_loop_create(model->device, model->unet, size, error);
    if (!kept->loop && retreat(model, error))
        kept->loop = ebb_loop_create(model->device, model->unet, size, error);
    if (!kept->loop) {
        ebb_explain(error, "%s", model->info.path);
        free(kept);
        return NULL;
    }
    kept->next = engine->loops;
    engine->loops = kept;
    return kept->loop;
}

struct ebb_mel *ebb_engine_mel(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_engine *engine = model->engine;
    if (!engine->mel)
        engine->mel = ebb_mel_create(&model->mel, error);
    return engine->mel;
}

struct ebb_phase *ebb_engine_phase(struct ebb_model *model, size_t frames, struct ebb_error *error)
{
    struct ebb_engine *engine = model->engine;
    struct ebb_mel *mel = ebb_engine_mel(model, error);
    if (!mel || (engine->phase && engine->phase->capacity >= frames))
        return mel ? engine->phase : NULL;
    ebb_phase_destroy(&engine->phase);
    engine->phase = ebb_phase_create(mel->stft, frames);
    if (!engine->phase)
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the phase of %zu frames", frames);
    return engine->phase;
}

// ---- state <-> mel ----

static enum ebb_result plan_coder(struct ebb_model *model, struct coder *d, struct ebb_error *error)
{
    int h = model->state[1], c = model->state[0], frames = d->w * model->state_stride;
    size_t cells = (size_t)model->info.n_mels * frames, latent = (size_t)h * d->w * c * (d->encodes ? 2 : 1);
    struct ebb_graph *graph = ebb_graph_create();
    if (!graph)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");

    enum ebb_result result = d->encodes ? ebb_encoder_build(model->vae, graph, 1, model->info.n_mels, frames, error)
                                        : ebb_decoder_build(model->vae, graph, 1, h, d->w, error);
    if (result != EBB_OK) {
        ebb_graph_destroy(&graph);
        return result;
    }

    struct ebb_error why = {EBB_OUT_OF_MEMORY, "no memory for an autoencoder"};
    d->plan = ebb_plan_create(model->device, graph, &why);
    if (d->plan)
        d->input = ebb_buffer_create(model->device, d->encodes ? cells : latent, &why);
    if (d->input)
        d->output = ebb_buffer_create(model->device, d->encodes ? latent : cells, &why);
    d->latent = ebb_alloc(latent, sizeof(float));
    return d->output && d->latent ? EBB_OK : ebb_fail(error, why.code, "%s", why.message);
}

static struct coder *find_coder(struct ebb_model *model, int w, bool encodes, struct ebb_error *error)
{
    struct ebb_engine *engine = model->engine;
    for (struct coder *d = engine->coders; d; d = d->next)
        if (d->w == w && d->encodes == encodes)
            return d;

    struct coder *d = ebb_alloc(1, sizeof(*d));
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
    d->next = engine->coders;
    return engine->coders = d;
}

static enum ebb_result run_coder(struct coder *d, const float *input, float *output, struct ebb_error *error)
{
    enum ebb_result result = ebb_buffer_write(d->input, 0, input, ebb_buffer_count(d->input), error);
    if (result == EBB_OK)
        result = ebb_plan_run(d->plan, 0, &d->input, &d->output, error);
    if (result == EBB_OK)
        result = ebb_buffer_read(d->output, 0, output, ebb_buffer_count(d->output), error);
    return result;
}

static enum ebb_result decode_latent(struct ebb_model *model, const float *state, int w, float *mel,
                                     struct ebb_error *error)
{
    struct coder *d = find_coder(model, w, false, error);
    if (!d)
        return error->code;
    int c = model->state[0];
    for (size_t i = 0; i < ebb_buffer_count(d->input); i++)
        d->latent[i] = state[i] * model->latent_std + (model->latent_mean ? model->latent_mean[i % c] : 0);
    return run_coder(d, d->latent, mel, error);
}

// The mean of what the encoder says; the logarithm of its variance lies behind it, pixel by pixel.
static enum ebb_result encode_latent(struct ebb_model *model, const float *mel, int w, float *state,
                                     struct ebb_error *error)
{
    struct coder *d = find_coder(model, w, true, error);
    enum ebb_result result = d ? run_coder(d, mel, d->latent, error) : error->code;
    int c = model->state[0];
    for (size_t i = 0; i < (size_t)model->state[1] * w * c && result == EBB_OK; i++) {
        float mean = d->latent[i / c * 2 * c + i % c];
        state[i] = (mean - (model->latent_mean ? model->latent_mean[i % c] : 0)) / model->latent_std;
    }
    return result;
}

// Channel i * pw + j of pixel (y, x) is the cell (y * ph + i, x * pw + j). Of a bare network of another domain, which
// has more channels than a mel has cells there, the first are taken.
static void unfold(const struct ebb_model *model, const float *state, int w, float *mel)
{
    int c = model->state[0], h = model->state[1], ph = model->patch[0], pw = model->patch[1];
    size_t frames = (size_t)w * pw;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < ph * pw && k < c; k++)
                mel[(size_t)(y * ph + k / pw) * frames + (size_t)x * pw + k % pw] = state[((size_t)y * w + x) * c + k];
}

enum ebb_result ebb_engine_decode(struct ebb_model *model, const float *state, int w, float *mel,
                                  struct ebb_error *error)
{
    if (model->vae)
        return decode_latent(model, state, w, mel, error);
    unfold(model, state, w, mel);
    return EBB_OK;
}

// The other way round; channels that no cell belongs to are 0.
static void fold(const struct ebb_model *model, const float *mel, int w, float *state)
{
    int c = model->state[0], h = model->state[1], ph = model->patch[0], pw = model->patch[1];
    size_t frames = (size_t)w * pw;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                state[((size_t)y * w + x) * c + k] =
                    k < ph * pw ? mel[(size_t)(y * ph + k / pw) * frames + (size_t)x * pw + k % pw] : 0;
}

enum ebb_result ebb_engine_encode(struct ebb_model *model, const float *mel, int w, float *state, struct ebb_error *error)
{
    if (model->vae)
        return encode_latent(model, mel, w, state, error);
    fold(model, mel, w, state);
    return EBB_OK;
}
