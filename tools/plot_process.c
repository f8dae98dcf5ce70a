// SPDX-License-Identifier: LGPL-2.1-or-later
// The diffusion process of a model as strips: forward, a finished sound noised; reverse, what the sampler
// makes of noise.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/lab.h>

#include "picture.h"

enum { MAX_STRIPS = 12, MAX_STATES = 1002 };

struct process {
    const struct plot *o;
    struct tool_model m;
    const char *label;
    int n_mels, frames, strips;
    size_t cells;
    int states;                 // seen on the way
    bool no_memory;             // for another
    double abar[MAX_STATES];    // of each state
    float *seen;                // (states, n_mels, frames)
    int shown[MAX_STRIPS];      // which states are drawn, clean first
    float *forward[MAX_STRIPS]; // (n_mels, frames)
    float *latents;
    size_t latent_count;
};

// ---- reverse ----

static bool on_step(void *user, const struct ebb_generate_step *step)
{
    struct process *p = user;
    if (p->states >= MAX_STATES || (size_t)step->n_mels * (size_t)step->frames != p->cells)
        return false;
    p->abar[p->states] = step->abar;
    float *more = reallocarray(p->seen, (size_t)p->states + 1, p->cells * sizeof(float));
    p->no_memory = !more;
    if (!more)
        return false;
    p->seen = more;
    memcpy(p->seen + (size_t)p->states++ * p->cells, step->mel, p->cells * sizeof(float));
    return !tool_interrupted();
}

static enum ebb_result fill_recipe(const struct process *p, struct ebb_recipe *recipe,
                                   struct ebb_error *error)
{
    const struct ebb_label *usual = ebb_model_label(p->m.model, p->m.info->default_label);
    const char *label = p->label ? p->label : usual && !p->o->prompt ? usual->name : NULL;
    enum ebb_result result = ebb_recipe_set_seed(recipe, "seed", p->o->seed, error);
    if (result == EBB_OK)
        result = ebb_recipe_set_seed(recipe, "index", p->o->index, error);
    if (result == EBB_OK && label)
        result = ebb_recipe_set(recipe, "label", label, error);
    if (result == EBB_OK && p->o->prompt)
        result = ebb_recipe_set(recipe, "prompt", p->o->prompt, error);
    if (result == EBB_OK && p->o->sampler)
        result = ebb_recipe_set(recipe, "sampler", p->o->sampler, error);
    if (result == EBB_OK && p->o->steps)
        result = ebb_recipe_set_number(recipe, "steps", p->o->steps, error);
    if (result == EBB_OK && !isnan(p->o->guidance))
        result = ebb_recipe_set_number(recipe, "guidance", p->o->guidance, error);
    return result;
}

static enum ebb_result watch_reverse(struct process *p, const struct ebb_recipe *recipe,
                                     struct ebb_error *error)
{
    struct ebb_hooks hooks = EBB_HOOKS;
    int shape[4];
    hooks.watch = on_step;
    hooks.user = p;
    enum ebb_result result = ebb_generate_latents(p->m.model, recipe, NULL, 0, shape, NULL, error);
    if (result != EBB_OK)
        return result;
    p->latent_count = (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
    p->latents = calloc(p->latent_count, sizeof(float));
    if (!p->latents)
        return error->code = EBB_OUT_OF_MEMORY;
    return ebb_generate_latents(p->m.model, recipe, p->latents, p->latent_count, shape, &hooks, error);
}

static int run_reverse(struct process *p)
{
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_GENERATE);
    enum ebb_result result = recipe ? fill_recipe(p, recipe, &error) : (error.code = EBB_OUT_OF_MEMORY);
    if (result == EBB_OK)
        result = watch_reverse(p, recipe, &error);
    ebb_recipe_destroy(&recipe);
    if (p->no_memory)
        return tool_fail(TOOL_FAILED, "no memory");
    if (result != EBB_OK)
        return tool_error(&error);
    return p->states > 1 ? TOOL_OK : tool_fail(TOOL_FAILED, "no states were seen on the way");
}

// Evenly spaced in signal amplitude, so that the strips differ as evenly as they can: clean first, noise
// last.
static void pick_states(struct process *p)
{
    p->strips = p->o->strips < p->states ? p->o->strips : p->states;
    for (int k = 0; k < p->strips; k++) {
        double wanted = 1 - (double)k / (p->strips - 1);
        int best = p->states - 1;
        for (int i = 0; i < p->states; i++)
            if (fabs(sqrt(p->abar[i]) - wanted) < fabs(sqrt(p->abar[best]) - wanted))
                best = i;
        p->shown[k] = k == 0 ? p->states - 1 : k == p->strips - 1 ? 0 : best;
    }
}

// ---- forward ----

// The noise that the reverse chain started from, growing: x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps at the
// abar of the state below.
static int run_forward(struct process *p)
{
    struct ebb_error error = {0};
    float *x = calloc(p->latent_count, sizeof(float)), *noise = calloc(p->latent_count, sizeof(float));
    int code = x && noise ? TOOL_OK : tool_fail(TOOL_FAILED, "no memory");
    if (noise)
        ebb_noise_normal(p->o->seed, p->o->index, 0, noise, p->latent_count);
    for (int k = 0; k < p->strips && !code; k++) {
        double a = p->abar[p->shown[k]];
        const struct ebb_gaussian g = {0, sqrt(a), sqrt(fmax(1 - a, 0))};
        p->forward[k] = calloc(p->cells, sizeof(float));
        if (!p->forward[k])
            code = tool_fail(TOOL_FAILED, "no memory");
        else if (ebb_gaussian_draw(p->m.device, &g, NULL, p->latents, noise, x, p->latent_count, &error) !=
                     EBB_OK ||
                 ebb_generate_mel(p->m.model, x, p->latent_count, p->forward[k], p->cells, &error) != EBB_OK)
            code = tool_error(&error);
    }
    free(x);
    free(noise);
    return code;
}

// ---- drawing ----

struct strip {
    const float *mel;
    int n_mels, frames;
};

static double strip_value(const void *data, int column, int row)
{
    const struct strip *s = data;
    size_t at = (size_t)(s->n_mels - 1 - row) * (size_t)s->frames + (size_t)column;
    return 0.5 * (double)s->mel[at] + 0.5;
}

static void caption(const struct process *p, int k, char *out, size_t size)
{
    double a = p->abar[p->shown[k]], snr = 10 * log10(a / fmax(1 - a, 1e-12));
    if (snr > 60)
        snprintf(out, size, "clean");
    else if (snr < -40)
        snprintf(out, size, "noise");
    else
        snprintf(out, size, "SNR %+.0f dB", round(snr) + 0.0);
}

enum { LEFT = 100, GAP = 14 };

static void draw_row(struct picture *q, const struct process *p, struct panel a, bool reverse)
{
    for (int k = 0; k < p->strips; k++, a.left += a.width + GAP) {
        const float *seen = p->seen + (size_t)p->shown[k] * p->cells;
        struct strip strip = {reverse ? seen : p->forward[k], p->n_mels, p->frames};
        char text[32];
        caption(p, k, text, sizeof(text));
        panel_heat(q, &a, p->frames, p->n_mels, strip_value, &strip);
        panel_frame(q, &a);
        picture_text(q, a.left + a.width / 2, a.top - 14, 0.5, TEXT_LABEL, INK, text);
        a.y = (struct axis){0}; // ticks once are enough
    }
}

// What happens to a row, with an arrow that fills the rest of the line.
static void draw_heading(struct picture *q, double left, double right, double y, bool reverse)
{
    const char *text = reverse ? "reverse: the network takes noise away"
                               : "forward: noise is added to the finished sound";
    double width = picture_text_width(q, TEXT_LABEL, text) + 16, x = reverse ? left : right,
           back = reverse ? 9 : -9;
    picture_text(q, reverse ? right : left, y, reverse, TEXT_LABEL, INK, text);
    picture_line(q, reverse ? right - width : left + width, y + 0.5, x, y + 0.5, 1.5, FAINT);
    picture_line(q, x + back, y - 4.5, x, y + 0.5, 1.5, FAINT);
    picture_line(q, x + back, y + 5.5, x, y + 0.5, 1.5, FAINT);
}

// Bytes of the text that a title has room for; a letter stays whole.
static int title_bytes(const char *text)
{
    enum { ROOM = 200 };
    size_t bytes = strnlen(text, ROOM);
    while (bytes > 0 && (text[bytes] & 0xc0) == 0x80)
        bytes--;
    return (int)bytes;
}

static void draw_title(struct picture *q, const struct plot *o, const struct process *p)
{
    const struct ebb_model_info *i = p->m.info;
    const struct ebb_label *usual = ebb_model_label(p->m.model, i->default_label);
    const char *what = o->prompt ? o->prompt : p->label ? p->label : usual ? usual->name : "no label";
    char title[256], note[256];
    snprintf(title, sizeof(title), "Diffusion of a sound: %.*s", title_bytes(what), what);
    snprintf(note, sizeof(note), "%s, seed %llu: %s, %d steps", i->name, (unsigned long long)o->seed,
             o->sampler ? o->sampler : i->sampler, o->steps ? o->steps : i->steps);
    picture_title(q, o->title ? o->title : title, note);
}

static int draw(const struct plot *o, void *data, struct picture *q)
{
    enum { TOP = PICTURE_TOP + 56, BETWEEN = 92, BOTTOM = 64 };
    const struct process *p = data;
    const struct axis bands = {AXIS_LINEAR, 0, p->n_mels, "mel band"};
    double seconds = (double)p->frames * p->m.info->hop / p->m.info->sample_rate;
    double width = floor((q->width - LEFT - PANEL_BAR - PICTURE_MARGIN + GAP) / p->strips) - GAP;
    double height = floor((q->height - TOP - BETWEEN - BOTTOM) / 2),
           right = LEFT + p->strips * (width + GAP) - GAP;
    struct panel a = {LEFT, TOP, width, height, TEXT_SMALL, {AXIS_LINEAR, 0, seconds, NULL}, bands, NULL};

    draw_title(q, o, p);
    draw_heading(q, LEFT, right, a.top - 46, false);
    draw_row(q, p, a, false);
    a.top += height + BETWEEN;
    a.x.label = "time (s)";
    draw_heading(q, LEFT, right, a.top - 46, true);
    draw_row(q, p, a, true);
    const struct axis levels = {AXIS_LINEAR, -1, 1, "log-mel level (network units)"};
    panel_bar(q, right, TOP, 2 * height + BETWEEN, levels);
    return TOOL_OK;
}

int plot_process(const struct plot *o, char **none, int count)
{
    struct process p = {.o = o, .label = o->label};
    if (count > 0)
        return tool_fail(TOOL_USAGE, "\"%s\" is not expected here", none[0]);
    int code = o->sampler && !tool_sampler_name(o->sampler)
                   ? TOOL_NOT_FOUND
                   : tool_model_open(&p.m, o->model ? o->model : "sfx", EBB_MODEL_GENERATE);
    if (!code)
        code = tool_model_load(&p.m, o->device, o->threads, false);
    if (!code) {
        p.n_mels = p.m.info->n_mels;
        p.frames = p.m.info->window_frames;
        p.cells = (size_t)p.n_mels * (size_t)p.frames;
        code = run_reverse(&p);
    }
    if (!code) {
        pick_states(&p);
        code = run_forward(&p);
    }
    if (!code)
        code = picture_write(o, 1800, 700, draw, &p);
    for (int k = 0; k < MAX_STRIPS; k++)
        free(p.forward[k]);
    free(p.seen);
    free(p.latents);
    tool_model_close(&p.m);
    return code;
}
