// SPDX-License-Identifier: LGPL-2.1-or-later
// Times one pass of a network folder, some input: bench-net FOLDER HEIGHT WIDTH [DEVICE [THREADS [PASSES
// [BATCH [BUSY [PRECISION [profile]]]]]]]. Prints one JSON line; FOLDER is a U-Net or, with HEIGHT and WIDTH
// of the latent, an autoencoder's decoder. A U-Net that sees text is shown 77 tokens. BUSY threads beside it
// work like an audio thread does: 2.5 ms of every 5. PRECISION is fp32 or bf16. `profile` prints a second
// line, the operations of the last pass.
#include <ebb/ebb.h>
#include <ebb/lab.h>

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TOKENS = 77 };

static double milliseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t count_of(const int shape[4])
{
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
}

static atomic_bool stop;

static void *be_busy(void *user)
{
    while (!atomic_load(&stop)) {
        double start = milliseconds(CLOCK_MONOTONIC);
        while (milliseconds(CLOCK_MONOTONIC) < start + 2.5)
            ;
        nanosleep(&(struct timespec){.tv_nsec = 2500000}, NULL);
    }
    return NULL;
}

static int fail(const struct ebb_error *error)
{
    fprintf(stderr, "bench-net: %s\n", error->message);
    return 1;
}

// Some numbers within -1 and 1; the caller frees them.
static float *waves(size_t count)
{
    float *x = calloc(count + 1, sizeof(*x));
    for (size_t i = 0; x && i < count; i++)
        x[i] = sinf((float)i * 0.7f);
    return x;
}

static void print_profile(struct ebb_device *device)
{
    size_t count = ebb_device_profile_read(device, NULL, 0);
    struct ebb_profile_entry *entries = calloc(count + 1, sizeof(*entries));
    if (!entries)
        return;
    count = ebb_device_profile_read(device, entries, count);
    printf("{\"profile\": [");
    for (size_t i = 0; i < count; i++)
        printf("%s{\"op\": \"%s\", \"times\": 1, \"ms\": %.6f}", i ? ", " : "", entries[i].op,
               entries[i].seconds * 1e3);
    printf("]}\n");
    free(entries);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(
            stderr,
            "usage: bench-net FOLDER HEIGHT WIDTH [DEVICE [THREADS [PASSES [BATCH [BUSY [PRECISION [profile]]]]]]]\n");
        return 2;
    }
    struct ebb_error error = {0};
    int threads = argc > 5 ? atoi(argv[5]) : 0, passes = argc > 6 ? atoi(argv[6]) : 100;
    struct ebb_device *device = ebb_device_create(argc > 4 ? argv[4] : "cpu", threads, NULL, &error);
    struct ebb_net *net = device ? ebb_net_open(argv[1], device, &error) : NULL;
    if (!net)
        return fail(&error);
    bool decodes = strncmp(ebb_net_class(net), "Autoencoder", 11) == 0;
    enum ebb_net_pass pass = decodes ? EBB_NET_DECODE : EBB_NET_FORWARD;
    int input[4] = {argc > 7 ? atoi(argv[7]) : 1, 0, atoi(argv[2]), atoi(argv[3])}, output[4];
    for (input[1] = 1; input[1] < 64 && ebb_net_shape(net, pass, input, output, &error) != EBB_OK; input[1]++)
        ;
    if (ebb_net_shape(net, pass, input, output, &error) != EBB_OK)
        return fail(&error);

    float *x = waves(count_of(input)), *y = calloc(count_of(output), sizeof(*y));
    float *states = waves((size_t)input[0] * TOKENS * (size_t)ebb_net_text_width(net, 0));
    float *class_vector = waves((size_t)input[0] * (size_t)ebb_net_class_vector(net));
    double *times = calloc((size_t)passes + 1, sizeof(*times)), start, cpu = 0;
    const struct ebb_net_inputs inputs = {
        .timestep = 500,
        .class_vector = ebb_net_class_vector(net) ? class_vector : NULL,
        .text[0] = {.states = ebb_net_text_width(net, 0) ? states : NULL, .tokens = TOKENS},
        .bf16 = argc > 9 && strcmp(argv[9], "bf16") == 0,
    };
    pthread_t busy[16];
    int busy_count = argc > 8 ? atoi(argv[8]) : 0;
    busy_count = busy_count > 16 ? 16 : busy_count;
    for (int i = 0; i < busy_count; i++)
        pthread_create(&busy[i], NULL, be_busy, NULL);
    for (int i = 0; i <= passes; i++) { // pass 0 plans
        if (i == 1)
            cpu = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
        ebb_device_profile(device, argc > 10 && i == passes);
        start = milliseconds(CLOCK_MONOTONIC);
        if (ebb_net_run(net, pass, input, x, &inputs, y, &error) != EBB_OK)
            return fail(&error);
        times[i] = milliseconds(CLOCK_MONOTONIC) - start;
    }
    cpu = (milliseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / passes;
    atomic_store(&stop, true);
    for (int i = 0; i < busy_count; i++)
        pthread_join(busy[i], NULL);
    double sum = 0;
    for (size_t i = 0; i < count_of(output); i++)
        sum += fabs(y[i]);
    qsort(times + 1, (size_t)passes, sizeof(*times), ascending);
    printf(
        "{\"device\": \"%s\", \"ms_plan\": %.3f, \"ms_min\": %.3f, \"ms_median\": %.3f, \"ms_p99\": %.3f, \"ms_cpu\": %.3f, \"mean_abs\": %.9g}\n",
        ebb_device_description(device), times[0], times[1], times[1 + passes / 2],
        times[passes - passes / 100], cpu, sum / (double)count_of(output));
    if (argc > 10)
        print_profile(device);
    free(x);
    free(y);
    free(times);
    free(states);
    free(class_vector);
    ebb_net_close(&net);
    ebb_device_destroy(&device);
    return 0;
}
