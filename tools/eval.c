// ebb eval: one pass of one network on arrays from a file, for checking against PyTorch and for measuring.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "npy.h"

enum { MAX_LABELS = 4096 };

struct eval {
    const char *folder, *input, *output, *label_text, *device;
    double timestep;
    int threads, repeat;
    bool encode, decode;

    int labels[MAX_LABELS], label_count;
    struct npy x;
    int shape[4], out_shape[4];
    float *y;
    enum ebb_net_pass pass;
};

static int read_labels(struct eval *e)
{
    char *copy = strdup(e->label_text), *rest = copy, *item;
    int code = copy ? TOOL_OK : tool_fail(TOOL_FAILED, "out of memory");
    while (!code && (item = strsep(&rest, ",")))
        if (e->label_count == MAX_LABELS || !tool_int("--label", item, -1, INT32_MAX, &e->labels[e->label_count++]))
            code = TOOL_USAGE;
    free(copy);
    return code;
}

static int read_options(const struct tool_command *command, struct eval *e, int argc, char **argv)
{
    const struct tool_option options[] = {
        {"input", 'i', "X.npy", TOOL_NAME, &e->input, 0, 0, "(n, c, h, w), float32 or float64"},
        {"output", 'o', "Y.npy", TOOL_NAME, &e->output, 0, 0, "where the result goes, float32"},
        {"timestep", 't', "T", TOOL_REAL, &e->timestep, -1e9, 1e9, "U-Net: the timestep, as the scheduler gives it"},
        {"label", 'l', "A,B", TOOL_NAME, &e->label_text, 0, 0,
         "U-Net with classes: n class ids (one id serves all), -1: none"},
        {"encode", 0, NULL, TOOL_FLAG, &e->encode, 0, 0,
         "autoencoder: to mean and standard deviation, (n, 2 latent, h', w')"},
        {"decode", 0, NULL, TOOL_FLAG, &e->decode, 0, 0,
         "autoencoder: latents to values; no scaling factor is applied"},
        {"device", 'd', "NAME", TOOL_NAME, &e->device, 0, 0, TOOL_DEVICES},
        {"threads", 0, "N", TOOL_INT, &e->threads, 0, 1024, "CPU threads, 0 (default) = physical cores"},
        {"repeat", 'r', "N", TOOL_INT, &e->repeat, 1, 1000000,
         "run N more times, print {\"ms_min\", \"ms_median\"} per pass as a line of JSON"},
        {0},
    };
    int first, code = tool_options(command, options, argc, argv, &first);
    if (code >= 0)
        return code;
    if (argc - first != 1)
        return tool_fail(TOOL_USAGE, "name one network folder, the one with config.json in it");
    e->folder = argv[first];
    if (!e->input || (!e->output && !e->repeat))
        return tool_fail(TOOL_USAGE, "--input, and --output or --repeat, are needed");
    if (e->encode && e->decode)
        return tool_fail(TOOL_USAGE, "--encode and --decode exclude each other");
    e->pass = e->encode ? EBB_NET_ENCODE : e->decode ? EBB_NET_DECODE : EBB_NET_FORWARD;
    code = e->label_text ? read_labels(e) : TOOL_OK;
    return code ? code : -1;
}

// The pass has to suit the network, and a U-Net needs its timestep.
static int check_pass(const struct eval *e, const struct ebb_net *net)
{
    bool unet = strcmp(ebb_net_class(net), "UNet2DModel") == 0;
    if (unet && e->pass != EBB_NET_FORWARD)
        return tool_fail(TOOL_USAGE, "%s is a UNet2DModel: --encode and --decode are for an AutoencoderKL", e->folder);
    if (!unet && e->pass == EBB_NET_FORWARD)
        return tool_fail(TOOL_USAGE, "%s is an %s: give --encode or --decode", e->folder, ebb_net_class(net));
    if (unet && isnan(e->timestep))
        return tool_fail(TOOL_USAGE, "--timestep is needed for a U-Net");
    return TOOL_OK;
}

static int prepare(struct eval *e, struct ebb_net *net)
{
    struct ebb_error error = {0};
    int code = npy_read(e->input, &e->x);
    if (code)
        return code;
    if (e->x.dims != 4)
        return tool_fail(TOOL_USAGE, "%s has %d dimensions; four are needed, (n, c, h, w)", e->input, e->x.dims);
    for (int i = 0; i < 4; i++) {
        if (e->x.shape[i] < 1 || e->x.shape[i] > INT32_MAX)
            return tool_fail(TOOL_USAGE, "%s: dimension %d is %zu", e->input, i, e->x.shape[i]);
        e->shape[i] = (int)e->x.shape[i];
    }
    if (e->label_count == 1)
        for (; e->label_count < e->shape[0] && e->label_count < MAX_LABELS; e->label_count++)
            e->labels[e->label_count] = e->labels[0];
    if (e->label_count && e->label_count != e->shape[0])
        return tool_fail(TOOL_USAGE, "--label: %d labels for %d inputs", e->label_count, e->shape[0]);
    if (ebb_net_shape(net, e->pass, e->shape, e->out_shape, &error) != EBB_OK)
        return tool_error(&error);
    size_t count = 1;
    for (int i = 0; i < 4; i++)
        count *= (size_t)e->out_shape[i];
    e->y = calloc(count, sizeof(float));
    return e->y ? TOOL_OK : tool_fail(TOOL_FAILED, "out of memory");
}

static int pass_once(struct eval *e, struct ebb_net *net)
{
    struct ebb_error error = {0};
    struct ebb_net_inputs inputs = {.timestep = isnan(e->timestep) ? 0 : e->timestep,
                                    .labels = e->label_count ? e->labels : NULL};
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

static int measure(struct eval *e, struct ebb_net *net)
{
    double *ms = calloc((size_t)e->repeat, sizeof(*ms));
    int code = ms ? TOOL_OK : tool_fail(TOOL_FAILED, "out of memory");
    for (int i = 0; i < e->repeat && !code; i++) {
        double start = tool_now();
        code = pass_once(e, net);
        ms[i] = 1e3 * (tool_now() - start);
    }
    if (!code) {
        qsort(ms, (size_t)e->repeat, sizeof(*ms), by_value);
        printf("{\"ms_min\": %.4f, \"ms_median\": %.4f}\n", ms[0],
               0.5 * (ms[(e->repeat - 1) / 2] + ms[e->repeat / 2]));
    }
    free(ms);
    return code;
}

static int evaluate(struct eval *e, struct ebb_net *net)
{
    int code = check_pass(e, net);
    if (!code)
        code = prepare(e, net);
    if (!code)
        code = pass_once(e, net); // plans on the way, so it is not timed
    if (!code && e->output) {
        size_t shape[4];
        for (int i = 0; i < 4; i++)
            shape[i] = (size_t)e->out_shape[i];
        code = npy_write(e->output, e->y, 4, shape);
    }
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
    free(e.y);
    return code;
}

const struct tool_command tool_eval = {
    .name = "eval",
    .summary = "run one network on a .npy file, for checking against PyTorch",
    .usage = "NET_FOLDER --input X.npy --output Y.npy [OPTION...]",
    .details = NULL,
    .examples = "  ebb eval models/sfx/unet --input x.npy --timestep 731 --label 3 --output y.npy\n"
                "  ebb eval models/sfx/vae --input mel.npy --encode --output mean-and-std.npy\n"
                "  ebb eval models/sfx/unet --input x.npy --timestep 731 --device cpu --threads 2 --repeat 40\n",
    .run = run,
};
