// SPDX-License-Identifier: LGPL-2.1-or-later
// A run evaluates the network as often as its sampler's row says, and allocates nothing from its first
// evaluation to its last.
#include "tiny_model.h"

#include <stdatomic.h>

#if defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static atomic_int allocations;

#if defined(__GLIBC__) && !SANITIZED
enum { COUNTED = 1 };

// glibc's own, under the names it keeps for those who stand in front of them.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

void *malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    *out = __libc_memalign(align, size);
    return *out ? 0 : 12;
}
#else
enum { COUNTED = 0 };
#endif

struct counted_calls {
    int calls, first, last; // of progress; allocations at the first and at the last
};

static bool on_progress(void *user, double fraction)
{
    struct counted_calls *s = user;
    s->last = atomic_load(&allocations);
    if (s->calls++ == 0)
        s->first = s->last;
    return true;
}

enum { STEPS = 7, ROOM = 4 * 16 * 32 };

static bool distilled(const char *name)
{
    return strcmp(name, "lcm") == 0 || strcmp(name, "tcd") == 0 || strcmp(name, "cm") == 0;
}

static void generate(struct ebb_model *model, const char *sampler, int steps, struct counted_calls *seen,
                     struct ebb_counts *counts)
{
    static float latents[ROOM];
    char words[100];
    int shape[4];
    snprintf(words, sizeof(words), "label=kick guidance=2 sampler=%s steps=%d", sampler, steps);
    struct ebb_recipe *recipe = generating(words);
    struct ebb_hooks hooks = {sizeof(hooks), .progress = on_progress, .user = seen, .counts = counts};
    *seen = (struct counted_calls){0};
    REQUIRE_OK(ebb_generate_latents(model, recipe, latents, ROOM, shape, &hooks, e));
    ebb_recipe_destroy(&recipe);
}

// Attention blocks that ran, as the device's own profile has it.
static int attentions(struct ebb_device *device)
{
    static struct ebb_profile_entry entry[1 << 16];
    size_t count = ebb_device_profile_read(device, entry, sizeof(entry) / sizeof(entry[0]));
    REQUIRE(count < sizeof(entry) / sizeof(entry[0]));
    int found = 0;
    for (size_t i = 0; i < count; i++)
        found += strncmp(entry[i].op, "attention", 9) == 0;
    return found;
}

TEST(the_network_is_asked_as_often_as_the_sampler_says)
{
    struct ebb_error error;
    struct ebb_device *device = ebb_device_create("cpu", 1, NULL, &error);
    char path[4096];
    snprintf(path, sizeof(path), "%s/models/tiny-sfx", getenv("EBB_TEST_DATA"));
    struct ebb_model *model = device ? ebb_model_open(path, &error) : NULL;
    if (!model || ebb_model_load(model, device, &error) != EBB_OK)
        TEST_FAIL("%s", error.message);
    struct ebb_schedule_params params;
    ebb_schedule_params_default(&params);
    params.name = "cosine"; // the model's
    struct ebb_schedule *schedule = ebb_schedule_create(&params, NULL);
    struct counted_calls seen;
    struct ebb_counts counts = {0};
    ebb_device_profile(device, true);
    generate(model, "euler", 1, &seen, &counts);
    int each = attentions(device);
    REQUIRE(each > 0 && counts.evals == 1);

    EBB_EACH_SAMPLER (info) {
        if (distilled(info->name))
            continue;
        generate(model, info->name, STEPS, &seen, &counts);
        int says = ebb_sampler_visits(info->name, schedule, NULL, STEPS, NULL, 0, &error),
            ran = attentions(device);
        if (ran != each * counts.evals)
            TEST_FAIL("%s: the network ran %d times, %d evaluations are told", info->name, ran / each,
                      counts.evals);
        if (info->evals > 0 && counts.evals != says)
            TEST_FAIL("%s: %d evaluations, its list has %d", info->name, counts.evals, says);
        if (seen.calls < counts.evals)
            TEST_FAIL("%s: progress was told %d times in %d evaluations", info->name, seen.calls,
                      counts.evals);
    }
    ebb_schedule_destroy(&schedule);
    ebb_model_close(&model);
    ebb_device_destroy(&device);
}

TEST(nothing_is_allocated_between_steps)
{
    if (!COUNTED)
        SKIP("allocations cannot be counted here");
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_counts counts;
    struct counted_calls seen;
    EBB_EACH_SAMPLER (info) {
        if (distilled(info->name))
            continue;
        int before = atomic_load(&allocations);
        generate(model, info->name, STEPS, &seen, &counts); // buffers are made when a sampler first needs
                                                            // them
        REQUIRE(atomic_load(&allocations) > before);        // the count does count
        generate(model, info->name, STEPS, &seen, &counts);
        REQUIRE(seen.calls >= STEPS);
        if (seen.last != seen.first)
            TEST_FAIL("%s: %d allocations in %d evaluations", info->name, seen.last - seen.first,
                      counts.evals);
    }
    ebb_model_close(&model);
}

TEST_MAIN
