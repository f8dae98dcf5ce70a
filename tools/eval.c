// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb eval: one pass of one network on arrays from a file, for checking against PyTorch and for measuring.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ebb/lab.h>

#include "eval_text.h"
#include "npy.h"

enum { MAX_LABELS = 4096 };

struct eval {
    const char *folder, *input, *output, *label_text, *vector, *text[2], *mask[2], *device, *ids, *pooled;
    double timestep;
    int threads, repeat;
    bool encode, decode, bf16;

    int labels[MAX_LABELS], label_count;
    struct npy vectors, states[2], masks[2];
    struct npy x;
    int shape[4], out_shape[4];
    float *y;
    enum ebb_net_pass pass;
};

static int read_labels(struct eval *e)
{
    char *copy = strdup(e->label_text), *rest = copy, *item;
    int code = copy ? TOOL_OK : tool_fail(TOOL_FAILED, "no memory");
    while (!code && (item = strsep(&rest, ",")))
        if (e->label_count == MAX_LABELS ||
            !tool_int("--label", item, -1, INT32_MAX, &e->labels[e->label_count++]))
            code = TOOL_USAGE;
    free(copy);
    return code;
}

static int read_options(const struct tool_command *command, struct eval *e, int argc, char **argv)
{
    const struct tool_option options[] = {
        {"input", 'i', "X.npy", TOOL_NAME, &e->input, 0, 0,
         "(n, c, h, w), float32 or float64; vocoder: (n, frames, bands), or without n"},
        {"output", 'o', "Y.npy", TOOL_NAME, &e->output, 0, 0, "where the result goes, float32"},
        {"ids", 0, "I.npy", TOOL_NAME, &e->ids, 0, 0,
         "text encoder, in place of --input: (n, tokens) or (tokens), whole numbers"},
        {"pooled", 0, "P.npy", TOOL_NAME, &e->pooled, 0, 0,
         "text encoder: where the state of each text goes, (n, width)"},
        {"timestep", 't', "T", TOOL_REAL, &e->timestep, -1e9, 1e9,
         "U-Net: the timestep, as the scheduler gives it"},
        {"label", 'l', "A,B", TOOL_NAME, &e->label_text, 0, 0,
         "U-Net with classes: n class ids (one id serves all), -1: none"},
        {"vector", 0, "V.npy", TOOL_NAME, &e->vector, 0, 0,
         "U-Net that is given a vector in place of a label: (n, numbers)"},
        {"text", 0, "S.npy", TOOL_NAME, &e->text[0], 0, 0,
         "U-Net that sees text: states of a text encoder, (n, tokens, width)"},
        {"text-mask", 0, "M.npy", TOOL_NAME, &e->mask[0], 0, 0, "which tokens are seen: (n, tokens), 1 or 0"},
        {"second-text", 0, "S.npy", TOOL_NAME, &e->text[1], 0, 0,
         "U-Net of AudioLDM2: states of its second text"},
        {"second-text-mask", 0, "M.npy", TOOL_NAME, &e->mask[1], 0, 0, "which of its tokens are seen"},
        {"encode", 0, NULL, TOOL_FLAG, &e->encode, 0, 0,
         "autoencoder: to mean and standard deviation, (n, 2 latent, h', w')"},
        {"decode", 0, NULL, TOOL_FLAG, &e->decode, 0, 0,
         "autoencoder: latents to values; no scaling factor is applied"},
        {"bf16", 0, NULL, TOOL_FLAG, &e->bf16, 0, 0,
         "U-Net: in bfloat16, where the device has it, as --precision of render"},
        {"device", 'd', "NAME", TOOL_NAME, &e->device, 0, 0, TOOL_DEVICES},
        {"threads", 0, "N", TOOL_INT, &e->threads, 0, 1024, "CPU threads, 0 (default) = physical cores"},
        {"repeat", 'r', "N", TOOL_INT, &e->repeat, 1, 1000000,
         "run N more times, print {\"ms_min\", \"ms_median\", \"ms_processor\"} of a pass as JSON"},
        {0},
    };
    int first, code = tool_options(command, options, argc, argv, &first);
    if (code >= 0)
        return code;
    if (argc - first != 1)
        return tool_fail(TOOL_USAGE, "name one network folder, the one with config.json in it");
    e->folder = argv[first];
    if (!e->input == !e->ids || (!e->output && !e->repeat))
        return tool_fail(TOOL_USAGE, "--input (or --ids), and --output or --repeat, are needed");
    if (e->pooled && !e->ids)
        return tool_fail(TOOL_USAGE, "--pooled goes with --ids");
    if (e->encode && e->decode)
        return tool_fail(TOOL_USAGE, "--encode and --decode exclude each other");
    e->pass = e->encode ? EBB_NET_ENCODE : e->decode ? EBB_NET_DECODE : EBB_NET_FORWARD;
    code = e->label_text ? read_labels(e) : TOOL_OK;
    if (!code)
        code = npy_check_name(e->output);
    if (!code)
        code = npy_check_name(e->pooled);
    return code ? code : -1;
}

static bool is_vocoder(const struct ebb_net *net)
{
    return strcmp(ebb_net_class(net), "SpeechT5HifiGan") == 0;
}

// The pass has to suit the network, and a U-Net needs its timestep.
static int check_pass(const struct eval *e, struct ebb_net *net)
{
    int last[3], pooled[2];
    if (ebb_net_text_shape(net, (const int[]){1, 1}, last, pooled, NULL) == EBB_OK)
        return tool_fail(TOOL_USAGE, "%s is a %s, which takes ids: give --ids", e->folder,
                         ebb_net_class(net));
    bool vocoder = is_vocoder(net), coder = strcmp(ebb_net_class(net), "AutoencoderKL") == 0;
    if (vocoder && e->pass == EBB_NET_FORWARD)
        return TOOL_OK;
    if (!coder && e->pass != EBB_NET_FORWARD)
        return tool_fail(TOOL_USAGE, "%s is a %s: --encode and --decode are for an AutoencoderKL", e->folder,
                         ebb_net_class(net));
    if (coder && e->pass == EBB_NET_FORWARD)
        return tool_fail(TOOL_USAGE, "%s is an %s: give --encode or --decode", e->folder, ebb_net_class(net));
    if (!coder && isnan(e->timestep))
        return tool_fail(TOOL_USAGE, "--timestep is needed for a U-Net");
    return TOOL_OK;
}

// The shape of the array as the four numbers that the pass takes. A vocoder's mel may leave out what is 1:
// (n, frames, bands), (frames, bands).
static int read_shape(struct eval *e, bool vocoder)
{
    int missing = 4 - e->x.dims;
    if (vocoder ? e->x.dims < 2 || e->x.dims > 4 : e->x.dims != 4)
        return tool_fail(TOOL_USAGE, "%s has %d dimensions; %s", e->input, e->x.dims,
                         vocoder ? "two or three are needed, (frames, bands) or (n, frames, bands)"
                                 : "four are needed, (n, c, h, w)");
    e->shape[0] = e->shape[1] = 1;
    for (int i = 0; i < e->x.dims; i++) {
        if (e->x.shape[i] < 1 || e->x.shape[i] > INT32_MAX)
            return tool_fail(TOOL_USAGE, "%s: dimension %d is %zu", e->input, i, e->x.shape[i]);
        e->shape[missing == 1 && i == 0 ? 0 : missing + i] = (int)e->x.shape[i];
    }
    return TOOL_OK;
}

// An array with one item for each of the input's, or one for all; `shape` says the rest, 0: any size.
static int read_beside(const struct eval *e, const char *path, int dims, const size_t *shape, struct npy *a)
{
    int code = path ? npy_read(path, a) : TOOL_OK;
    if (!path || code)
        return code;
    bool good = a->dims == dims && a->shape[0] == (size_t)e->shape[0];
    for (int i = 1; good && i < dims; i++)
        good = a->shape[i] && a->shape[i] <= INT32_MAX && (!shape[i] || a->shape[i] == shape[i]);
    if (good)
        return TOOL_OK;
    char wanted[80];
    int used = snprintf(wanted, sizeof(wanted), "(%d", e->shape[0]);
    for (int i = 1; i < dims; i++)
        used += shape[i] ? snprintf(wanted + used, sizeof(wanted) - (size_t)used, ", %zu", shape[i])
                         : snprintf(wanted + used, sizeof(wanted) - (size_t)used, ", tokens");
    return tool_fail(TOOL_USAGE, "%s is not of shape %s)", path, wanted);
}

static int read_conditions(struct eval *e, const struct ebb_net *net)
{
    const size_t vector[] = {0, (size_t)ebb_net_class_vector(net)};
    if (e->vector && !vector[1])
        return tool_fail(TOOL_USAGE, "--vector: %s takes none", e->folder);
    if (e->vector && e->label_text)
        return tool_fail(TOOL_USAGE, "--vector and --label exclude each other");
    int code = read_beside(e, e->vector, 2, vector, &e->vectors);
    for (int i = 0; i < 2 && !code; i++) {
        const char *option = i ? "--second-text" : "--text";
        const size_t text[] = {0, 0, (size_t)ebb_net_text_width(net, i)};
        if (e->text[i] && !text[2])
            return tool_fail(TOOL_USAGE, "%s: %s sees no such text", option, e->folder);
        if (e->mask[i] && !e->text[i])
            return tool_fail(TOOL_USAGE, "%s-mask needs %s", option, option);
        code = read_beside(e, e->text[i], 3, text, &e->states[i]);
        if (!code)
            code = read_beside(e, e->mask[i], 2, (size_t[]){0, e->states[i].shape[1]}, &e->masks[i]);
    }
    return code;
}

static int prepare(struct eval *e, struct ebb_net *net)
{
    struct ebb_error error = {0};
    int code = npy_read(e->input, &e->x);
    if (!code)
        code = read_shape(e, is_vocoder(net));
    if (code)
        return code;
    if (e->label_count == 1)
        for (; e->label_count < e->shape[0] && e->label_count < MAX_LABELS; e->label_count++)
            e->labels[e->label_count] = e->labels[0];
    if (e->label_count && e->label_count != e->shape[0])
        return tool_fail(TOOL_USAGE, "--label: %d labels for %d inputs", e->label_count, e->shape[0]);
    if (ebb_net_shape(net, e->pass, e->shape, e->out_shape, &error) != EBB_OK)
        return tool_error(&error);
    if ((code = read_conditions(e, net)))
        return code;
    size_t count = 1;
    for (int i = 0; i < 4; i++)
        count *= (size_t)e->out_shape[i];
    e->y = calloc(count, sizeof(float));
    return e->y ? TOOL_OK : tool_fail(TOOL_FAILED, "no memory");
}

static int pass_once(struct eval *e, struct ebb_net *net)
{
    struct ebb_error error = {0};
    struct ebb_net_inputs inputs = {.timestep = isnan(e->timestep) ? 0 : e->timestep,
                                    .labels = e->label_count ? e->labels : NULL,
                                    .class_vector = e->vectors.values,
                                    .bf16 = e->bf16};
    for (int i = 0; i < 2; i++)
        inputs.text[i] = (struct ebb_net_text){e->states[i].values, (int)e->states[i].shape[1],
                                               e->masks[i].values};
    if (tool_interrupted())
        return tool_fail(TOOL_INTERRUPTED, "interrupted");
    if (ebb_net_run(net, e->pass, e->shape, e->x.values, &inputs, e->y, &error) != EBB_OK)
        return tool_error(&error);
    return TOOL_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), by_value);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

// Seconds that all threads of this process have had of the processors.
static double processor_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int measure(struct eval *e, struct ebb_net *net)
{
    double *ms = calloc((size_t)e->repeat, sizeof(*ms)), *cpu = calloc((size_t)e->repeat, sizeof(*cpu));
    int code = ms && cpu ? TOOL_OK : tool_fail(TOOL_FAILED, "no memory");
    for (int i = 0; i < e->repeat && !code; i++) {
        double start = tool_now(), processor = processor_now();
        code = pass_once(e, net);
        ms[i] = 1e3 * (tool_now() - start);
        cpu[i] = 1e3 * (processor_now() - processor);
    }
    if (!code) {
        double middle = median(ms, e->repeat);
        printf("{\"ms_min\": %.4f, \"ms_median\": %.4f, \"ms_processor\": %.4f}\n", ms[0], middle,
               median(cpu, e->repeat));
    }
    free(ms);
    free(cpu);
    return code;
}

// With as many dimensions as the input: a vocoder's samples are (n, samples), or (samples).
static int write_result(const struct eval *e, bool vocoder)
{
    size_t shape[4], waves[2] = {(size_t)e->out_shape[0], (size_t)e->out_shape[3]};
    for (int i = 0; i < 4; i++)
        shape[i] = (size_t)e->out_shape[i];
    if (vocoder && e->x.dims < 4)
        return npy_write(e->output, e->y, e->x.dims - 1, e->x.dims == 2 ? waves + 1 : waves);
    return npy_write(e->output, e->y, 4, shape);
}

static int evaluate(struct eval *e, struct ebb_net *net)
{
    if (e->ids)
        return eval_text(net, &(struct eval_text){e->ids, e->output, e->pooled, e->repeat});
    int code = check_pass(e, net);
    if (!code)
        code = prepare(e, net);
    if (!code)
        code = pass_once(e, net); // plans on the way, so it is not timed
    if (!code && e->output)
        code = write_result(e, is_vocoder(net));
    return !code && e->repeat ? measure(e, net) : code;
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    struct eval e = {.timestep = NAN};
    int code = read_options(command, &e, argc, argv);
    if (code >= 0)
        return code;
    tool_catch_interrupts();
    struct ebb_error error = {0};
    struct ebb_net *net = NULL;
    struct ebb_device *device = ebb_device_create(e.device, e.threads, &tool_log, &error);
    if (device)
        net = ebb_net_open(e.folder, device, &error);
    code = net ? evaluate(&e, net) : tool_error(&error);
    ebb_net_close(&net);
    ebb_device_destroy(&device);
    npy_clear(&e.x);
    npy_clear(&e.vectors);
    for (int i = 0; i < 2; i++) {
        npy_clear(&e.states[i]);
        npy_clear(&e.masks[i]);
    }
    free(e.y);
    return code;
}

const struct tool_command tool_eval = {
    .name = "eval",
    .summary = "run one network on a .npy file, for checking against PyTorch",
    .usage = "NET_FOLDER --input X.npy --output Y.npy [OPTION...]",
    .details = NULL,
    .examples =
        "  ebb eval models/sfx/unet --input x.npy --timestep 731 --label 3 --output y.npy\n"
        "  ebb eval models/sfx/vae --input mel.npy --encode --output mean-and-std.npy\n"
        "  ebb eval audioldm/vocoder --input mel.npy --output wave.npy\n"
        "  ebb eval riffusion/unet --input x.npy --timestep 731 --text states.npy --output y.npy\n"
        "  ebb eval models/sfx/unet --input x.npy --timestep 731 --device cpu --threads 2 --repeat 40\n",
    .run = run,
};
