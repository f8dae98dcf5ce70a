// SPDX-License-Identifier: LGPL-2.1-or-later
// Tapes: the same bits as the same work done at once, on every device.
#include "backend/backend.h"
#include "graph/fixture.h"

enum { SIDE = 6, CHANNELS = 8, COUNT = SIDE * SIDE * CHANNELS };

// A convolution and three states: what a step of the reverse process has.
struct rig {
    struct ebb_device *device;
    struct ebb_plan *plan;
    struct ebb_buffer *x, *out, *twice;
    struct ebb_tape *tape;
    struct pool pool;
};

static const char *const names[] = {"ref", "cpu", "vulkan", NULL};

// False: this machine has no such device.
static bool set_up(struct rig *rig, const char *name)
{
    *rig = (struct rig){.device = device(name, 1)};
    if (!rig->device)
        return false;
    struct ebb_graph *g = ebb_graph_create();
    struct ebb_node *x = ebb_input(g, 1, SIDE, SIDE, CHANNELS);
    x = ebb_conv2d(g, ebb_activate(g, x, EBB_ACT_SILU), weight(&rig->pool, CHANNELS, 3, CHANNELS), NULL, 1,
                   EBB_PAD_SAME);
    ebb_output(g, ebb_add_channels(g, x, ebb_step_input(g, 1, CHANNELS)));
    rig->plan = ebb_plan_create(rig->device, g, NULL);
    rig->tape = ebb_tape_create(rig->device, NULL);
    float *steps = random_floats(3 * CHANNELS, 5);
    REQUIRE(rig->plan && rig->tape &&
            ebb_plan_steps(rig->plan, 3, (const float *const[]){steps}, NULL) == EBB_OK);
    free(steps);
    rig->out = buffer(rig->device, NULL, COUNT);
    rig->twice = buffer(rig->device, NULL, 2 * COUNT);
    rig->x = buffer(rig->device, NULL, COUNT);
    return true;
}

static void tear_down(struct rig *rig)
{
    ebb_tape_destroy(&rig->tape);
    ebb_plan_destroy(&rig->plan);
    ebb_buffer_destroy(&rig->x);
    ebb_buffer_destroy(&rig->out);
    ebb_buffer_destroy(&rig->twice);
    pool_clear(&rig->pool);
    ebb_device_destroy(&rig->device);
}

static void fill(struct rig *rig, uint64_t seed)
{
    float *data = random_floats(COUNT, seed);
    REQUIRE(ebb_buffer_write(rig->x, 0, data, COUNT, NULL) == EBB_OK);
    free(data);
}

// Three steps of out = net(x), x = 0.9 x + factor out, and x twice in the end; at once, or onto the tape.
static void steps(struct rig *rig, bool ahead, float factor)
{
    struct ebb_blend update = {
        .dst = rig->x, .terms = 2, .src = {rig->x, rig->out}, .weight = {0.9f, factor}, .count = COUNT};
    struct ebb_blend copy = {
        .dst = rig->twice, .terms = 1, .src = {rig->x}, .weight = {1}, .count = COUNT, .copies = 2};
    if (ahead)
        ebb_tape_clear(rig->tape);
    for (int i = 0; i < 3; i++) {
        REQUIRE((ahead ? ebb_plan_tape(rig->plan, rig->tape, i, &rig->x, &rig->out, NULL)
                       : ebb_plan_run(rig->plan, i, &rig->x, &rig->out, NULL)) == EBB_OK);
        REQUIRE((ahead ? ebb_tape_blend(rig->tape, &update, NULL) : ebb_blend(rig->device, &update, NULL)) ==
                EBB_OK);
        REQUIRE(!ahead || ebb_tape_mark(rig->tape, NULL) == EBB_OK);
    }
    REQUIRE((ahead ? ebb_tape_blend(rig->tape, &copy, NULL) : ebb_blend(rig->device, &copy, NULL)) == EBB_OK);
}

static float got[2 * COUNT], want[2 * COUNT];

static bool same_as_at_once(struct rig *rig, uint64_t seed, float factor)
{
    fill(rig, seed);
    steps(rig, false, factor);
    REQUIRE(ebb_buffer_read(rig->twice, 0, want, 2 * COUNT, NULL) == EBB_OK);
    fill(rig, seed);
    steps(rig, true, factor);
    REQUIRE(ebb_tape_play(rig->tape, NULL, NULL, NULL) == EBB_OK);
    REQUIRE(ebb_buffer_read(rig->twice, 0, got, 2 * COUNT, NULL) == EBB_OK);
    return memcmp(got, want, sizeof(got)) == 0 && memcmp(got, got + COUNT, COUNT * sizeof(float)) == 0;
}

TEST(a_tape_does_what_calls_do)
{
    for (int i = 0; names[i]; i++) {
        struct rig rig;
        if (!set_up(&rig, names[i]))
            continue;
        REQUIRE(same_as_at_once(&rig, 1, 0.5f));
        REQUIRE(same_as_at_once(&rig, 2, 0.5f));  // the same list, played again
        REQUIRE(same_as_at_once(&rig, 2, 0.25f)); // another one
        ebb_buffer_destroy(&rig.out);             // another buffer, perhaps where the old one was
        rig.out = buffer(rig.device, NULL, COUNT);
        REQUIRE(same_as_at_once(&rig, 3, 0.25f));
        float *more = random_floats(500 * CHANNELS, 6); // more steps than ever: the plan prepares itself
                                                        // again
        REQUIRE(ebb_plan_steps(rig.plan, 500, (const float *const[]){more}, NULL) == EBB_OK);
        free(more);
        REQUIRE(same_as_at_once(&rig, 3, 0.25f));
        tear_down(&rig);
    }
}

static enum ebb_result stop_at_two(void *user, int marks, struct ebb_error *error)
{
    int *told = user;
    REQUIRE(marks >= *told);
    *told = marks;
    return marks < 2 ? EBB_OK : EBB_CANCELLED;
}

TEST(marks_are_told_and_can_stop_it)
{
    for (int i = 0; names[i]; i++) {
        struct rig rig;
        if (!set_up(&rig, names[i]))
            continue;
        int told = 0;
        steps(&rig, true, 1);
        enum ebb_result result = ebb_tape_play(rig.tape, stop_at_two, &told, NULL);
        // So little work is one submit on a device that records: it is done before anything is told.
        REQUIRE(rig.device->backend->record ? result == EBB_OK && told == 0
                                            : result == EBB_CANCELLED && told == 2);
        REQUIRE(same_as_at_once(&rig, 4, 0.5f));
        tear_down(&rig);
    }
}

TEST(nonsense_is_refused)
{
    struct rig rig;
    REQUIRE(set_up(&rig, "ref"));
    struct ebb_error error = {0};
    struct ebb_blend blend = {
        .dst = rig.x, .terms = 1, .src = {rig.x}, .weight = {1}, .count = COUNT, .copies = 2};
    REQUIRE(ebb_tape_blend(rig.tape, &blend, &error) == EBB_INVALID &&
            strstr(error.message, "of a buffer of"));
    blend = (struct ebb_blend){.dst = rig.twice,
                               .terms = 1,
                               .src = {rig.twice},
                               .src_offset = {COUNT},
                               .weight = {1},
                               .count = COUNT,
                               .copies = 2};
    REQUIRE(ebb_blend(rig.device, &blend, &error) == EBB_INVALID && strstr(error.message, "overlaps"));
    REQUIRE(ebb_plan_tape(rig.plan, rig.tape, 3, &rig.x, &rig.out, &error) == EBB_INVALID &&
            strstr(error.message, "step 3"));
    ebb_tape_clear(rig.tape);
    REQUIRE(ebb_tape_play(rig.tape, NULL, NULL, &error) == EBB_OK); // nothing to do
    tear_down(&rig);
}

TEST_MAIN
