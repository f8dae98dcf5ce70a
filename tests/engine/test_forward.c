// The forward process on tensors: the weights, carried out by the device.
#include "engine.h"

enum { COUNT = 1000 };

TEST(draws_are_the_weighted_sum)
{
    static float x[COUNT], x0[COUNT], noise[COUNT], out[COUNT];
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    for (int i = 0; i < COUNT; i++) {
        x[i] = (float)sin(i);
        x0[i] = (float)cos(3 * i);
    }
    ebb_normal_noise(3, 1, 0, noise, COUNT);
    const char *const devices[] = {"ref", "cpu"};
    for (int d = 0; d < 2; d++) {
        struct ebb_error error;
        struct ebb_device *device = ebb_device_create(devices[d], 1, NULL, &error);
        REQUIRE(device);
        const struct ebb_gaussian all[] = {ebb_forward(s, 0.2, 0.6), ebb_forward(s, 0, 1), ebb_posterior(s, 0.6, 0.2), {0, 0, 0}};
        for (int k = 0; k < 4; k++) {
            const struct ebb_gaussian *g = &all[k];
            REQUIRE_OK(ebb_gaussian_draw(device, g, x, g->x0 != 0 ? x0 : NULL, noise, out, COUNT, e));
            for (int i = 0; i < COUNT; i++)
                REQUIRE_NEAR(out[i], g->x * x[i] + g->x0 * x0[i] + g->sd * noise[i], 1e-6, devices[d]);
        }
        REQUIRE_OK(ebb_gaussian_draw(device, &(struct ebb_gaussian){1, 0, 2}, x, NULL, noise, out, COUNT, e));
        REQUIRE_NEAR(out[5], x[5] + 2 * noise[5], 1e-6, "by hand");
        REQUIRE(ebb_gaussian_draw(device, &all[0], NULL, NULL, noise, out, COUNT, &error) == EBB_INVALID);
        REQUIRE(strstr(error.message, "x is missing"));
        REQUIRE(ebb_gaussian_draw(device, &(struct ebb_gaussian){NAN, 0, 1}, x, NULL, noise, out, COUNT, &error) == EBB_INVALID);
        ebb_device_destroy(&device);
    }
    ebb_schedule_destroy(&s);
}

enum { STATE = 4 * 16 * 32 };
static float start[STATE];

static bool keep_start(void *user, const struct ebb_generate_step *step)
{
    if (step->step == 0)
        memcpy(start, step->latents, sizeof(start));
    return true;
}

// A clip starts from draw 0: the state that is watched first is that noise, bit for bit.
TEST(noise_is_the_samplers)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    static float noise[STATE], result[STATE];
    struct ebb_generate_params p;
    int shape[4];
    ebb_generate_params_default(&p);
    p.seed = 9;
    p.index = 2;
    p.steps = 1;
    p.watch = keep_start;
    REQUIRE_OK(ebb_generate_latents(model, &p, result, STATE, shape, e));
    ebb_normal_noise(9, 2, 0, noise, STATE);
    REQUIRE(memcmp(noise, start, sizeof(noise)) == 0);
    ebb_model_close(&model);
}

TEST_MAIN
