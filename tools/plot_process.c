// The diffusion process of a model as strips: forward, a finished sound noised; reverse, what the sampler makes of noise.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plot.h"

enum { MAX_STRIPS = 12, MAX_STATES = 1002 };

struct process {
    const struct plot *o;
    struct tool_model m;
    const char *label;
    int n_mels, frames, strips;
    size_t cells;
    int states;                        // seen on the way
    double abar[MAX_STATES];           // of each state
    float *seen;                       // (states, n_mels, frames)
    int shown[MAX_STRIPS];             // which states are drawn, clean first
    float *forward[MAX_STRIPS];        // (n_mels, frames)
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
    if (!more)
        return false;
    p->seen = more;
    memcpy(p->seen + (size_t)p->states++ * p->cells, step->mel, p->cells * sizeof(float));
    return !tool_interrupted();
}

static int run_reverse(struct process *p)
{
    struct ebb_error error = {0};
    struct ebb_generate_params params;
    int shape[4];
    ebb_generate_params_default(&params);
    params.label = p->label ? ebb_model_find_label(p->m.model, p->label, &error) : p->m.info->default_label;
    if (p->label && params.label < 0)
        return tool_error(&error);
    params.seed = p->o->seed;
    params.index = p->o->index;
    params.sampler = p->o->sampler;
    params.steps = p->o->steps;
    params.guidance = p->o->guidance;
    if (ebb_generate_latents(p->m.model, &params, NULL, 0, shape, &error) != EBB_OK)
        return tool_error(&error);
    p->latent_count = (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
    p->latents = calloc(p->latent_count, sizeof(float));
    params.watch = on_step;
    params.user = p;
    if (!p->latents)
        return tool_fail(TOOL_FAILED, "out of memory");
    if (ebb_generate_latents(p->m.model, &params, p->latents, p->latent_count, shape, &error) != EBB_OK)
        return tool_error(&error);
    return p->states > 1 ? TOOL_OK : tool_fail(TOOL_FAILED, "no states were seen on the way");
}

// Evenly spaced in signal amplitude, so that the strips differ as evenly as they can: clean first, noise last.
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

// The noise that the reverse chain started from, growing: x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps at the abar of the state below.
static int run_forward(struct process *p)
{
    struct ebb_error error = {0};
    float *x = calloc(p->latent_count, sizeof(float)), *noise = calloc(p->latent_count, sizeof(float));
    int code = x && noise ? TOOL_OK : tool_fail(TOOL_FAILED, "out of memory");
    if (noise)
        ebb_normal_noise(p->o->seed, p->o->index, 0, noise, p->latent_count);
    for (int k = 0; k < p->strips && !code; k++) {
        double a = p->abar[p->shown[k]];
        const struct ebb_gaussian g = {0, sqrt(a), sqrt(fmax(1 - a, 0))};
        p->forward[k] = calloc(p->cells, sizeof(float));
        if (!p->forward[k])
            code = tool_fail(TOOL_FAILED, "out of memory");
        else if (ebb_gaussian_draw(p->m.device, &g, NULL, p->latents, noise, x, p->latent_count, &error) != EBB_OK ||
                 ebb_generate_mel(p->m.model, x, p->latent_count, p->forward[k], p->cells, &error) != EBB_OK)
            code = tool_error(&error);
    }
    free(x);
    free(noise);
    return code;
}

// ---- drawing ----

static void draw_strip(const struct process *p, const struct chart *at, const float *mel)
{
    for (int y = 0; y < at->height; y++)
        for (int x = 0; x < at->width; x++) {
            int row = (at->height - 1 - y) * p->n_mels / at->height, column = x * p->frames / at->width;
            double v = (double)mel[(size_t)row * (size_t)p->frames + (size_t)column];
            canvas_set(at->c, at->left + x, at->top + y, canvas_heat(0.5 * v + 0.5));
        }
}

static void draw_arrow(struct canvas *c, double x0, double x1, double y)
{
    double head = x1 > x0 ? -9 : 9;
    canvas_line(c, x0, y, x1, y, 1.5, CANVAS_FAINT);
    canvas_polyline(c, (double[]){x1 + head, y - 5, x1, y, x1 + head, y + 5}, 3, 1.5, CANVAS_FAINT);
}

static void caption(const struct process *p, int k, char *out, size_t size)
{
    double a = p->abar[p->shown[k]], snr = 10 * log10(a / fmax(1 - a, 1e-12));
    if (snr > 60)
        snprintf(out, size, "clean");
    else if (snr < -40)
        snprintf(out, size, "noise");
    else
        snprintf(out, size, "SNR %+.0f dB", snr);
}

static void draw_row(const struct process *p, struct chart *strip, int width, bool reverse)
{
    for (int k = 0; k < p->strips; k++) {
        char text[32];
        strip->left = 96 + k * (width + 14);
        strip->width = width;
        draw_strip(p, strip, reverse ? p->seen + (size_t)p->shown[k] * p->cells : p->forward[k]);
        caption(p, k, text, sizeof(text));
        canvas_text(strip->c, strip->left + width / 2.0, strip->top - 9, CHART_TEXT, CANVAS_CENTRE, CANVAS_INK, text);
        struct chart axes = *strip;
        axes.text = CHART_SMALL;
        axes.x.label = reverse ? "time (s)" : NULL;
        if (k > 0)
            axes.y = (struct chart_axis){0}; // ticks once are enough
        chart_frame(&axes);
    }
}

static void draw(const struct plot *o, void *data, struct canvas *c)
{
    const struct process *p = data;
    const struct ebb_model_info *i = p->m.info;
    int right = 120, width = (c->width - 96 - right) / p->strips - 14, height = (c->height - 118 - 96 - 56) / 2;
    const struct ebb_label *label = ebb_model_label(p->m.model, i->default_label);
    const char *what = p->label ? p->label : label ? label->name : "no label";
    double seconds = (double)p->frames * i->hop / i->sample_rate;
    struct chart strip = {.c = c, .top = 118, .height = height, .x = {CHART_LINEAR, 0, seconds, NULL, false},
                          .y = {CHART_LINEAR, 0, p->n_mels, "mel band", false}};
    char text[256];
    double end = 96 + p->strips * (width + 14) - 14;

    snprintf(text, sizeof(text), "Diffusion of a sound: %s", what);
    canvas_text(c, 96, 36, CHART_TITLE + 3, CANVAS_LEFT, CANVAS_INK, o->title ? o->title : text);
    snprintf(text, sizeof(text), "%s, seed %llu: %s, %d steps", i->name, (unsigned long long)o->seed,
             o->sampler ? o->sampler : i->sampler, o->steps ? o->steps : i->steps);
    canvas_text(c, end, 36, CHART_TEXT, CANVAS_RIGHT, CANVAS_FAINT, text);

    const char *forward = "forward: noise is added to the finished sound";
    const char *reverse = "reverse: the network takes noise away";
    canvas_text(c, 96, 76, CHART_TEXT + 1, CANVAS_LEFT, CANVAS_INK, forward);
    draw_arrow(c, 96 + canvas_text_width(CHART_TEXT + 1, forward) + 16, end, 70);
    draw_row(p, &strip, width, false);
    double y = strip.top + height + 62;
    strip.top += height + 96;
    canvas_text(c, end, y, CHART_TEXT + 1, CANVAS_RIGHT, CANVAS_INK, reverse);
    draw_arrow(c, end - canvas_text_width(CHART_TEXT + 1, reverse) - 16, 96, y - 6);
    draw_row(p, &strip, width, true);

    struct chart bar = {.c = c, .left = (int)end, .top = 118, .height = strip.top + height - 118};
    chart_heat_bar(&bar, -1, 1, "log-mel level (network units)");
}

int plot_process(const struct plot *o)
{
    struct process p = {.o = o, .label = o->label};
    int code = o->sampler && !tool_sampler_known(o->sampler)
                   ? TOOL_NOT_FOUND
                   : tool_model_open(&p.m, o->model ? o->model : "sfx", EBB_MODEL_GENERATE);
    if (!code)
        code = tool_model_load(&p.m, o->device, o->threads);
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
        code = plot_write(o, 1800, 700, draw, &p);
    for (int k = 0; k < MAX_STRIPS; k++)
        free(p.forward[k]);
    free(p.seen);
    free(p.latents);
    tool_model_close(&p.m);
    return code;
}
