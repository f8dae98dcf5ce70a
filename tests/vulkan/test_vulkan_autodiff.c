// SPDX-License-Identifier: LGPL-2.1-or-later
// Gradients on Vulkan against ref, the list of tests/backend. Without a usable device every test here is
// skipped; EBB_REQUIRE_VULKAN=1 makes that a failure.
#include "backend/autodiff.h"

#include "backend/backend.h"
#include "backend/vulkan/device.h"

// Relative rms that is rounding, by the precision of storage.
static double bound(void)
{
    struct ebb_error error = {0};
    struct ebb_device *d = ebb_device_create("vulkan", 0, NULL, &error);
    if (!d && getenv("EBB_REQUIRE_VULKAN"))
        TEST_FAIL("a Vulkan device is required: %s", error.message);
    if (!d)
        SKIP("%s", error.message);
    bool half = ((const struct ebb_vk *)d->state)->fp16;
    ebb_device_destroy(&d);
    return half ? 3e-3 : 5e-6;
}

TEST(every_gradient_agrees_with_ref)
{
    double most = bound();
    for (int i = 0; i < gradient_case_count; i++) {
        const struct gradient_case *c = &gradient_cases[i];
        size_t count, got_count;
        float *want = gradient_run("ref", 1, c, 0, -1, &count),
              *got = gradient_run("vulkan", 0, c, 0, -1, &got_count);
        REQUIRE(want && got && count == got_count);
        printf("# %-40s %.1e\n", c->name, gradient_error(got, want, count));
        REQUIRE_NEAR(gradient_error(got, want, count), 0, most, c->name);
        free(want);
        free(got);
    }
}

TEST(twice_the_same_bits_and_a_batch_is_its_items)
{
    bound();
    for (int i = 0; i < gradient_case_count; i++) {
        const struct gradient_case *c = &gradient_cases[i];
        size_t count, one;
        float *all = gradient_run("vulkan", 0, c, 0, -1, &count),
              *again = gradient_run("vulkan", 0, c, 0, -1, &count);
        REQUIRE(all && again && memcmp(all, again, count * sizeof(*all)) == 0);
        for (int item = 0; item < c->n && !c->vector; item++) {
            float *alone = gradient_run("vulkan", 0, c, 0, item, &one);
            REQUIRE(alone && one * (size_t)c->n == count);
            if (memcmp(alone, all + (size_t)item * one, one * sizeof(*alone)) != 0)
                TEST_FAIL("%s: item %d differs", c->name, item);
            free(alone);
        }
        free(all);
        free(again);
    }
}

TEST(the_validation_layer_had_nothing_to_say)
{
    bound();
    char first[400];
    int count = ebb_vk_validation_messages(first, sizeof(first));
    if (count) // none either where the layer is off
        TEST_FAIL("%d messages, the first: %s", count, first);
}

TEST_MAIN
