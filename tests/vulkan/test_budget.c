// SPDX-License-Identifier: LGPL-2.1-or-later
// What a step of each shipped network asks of a GPU, counted as it is recorded: dispatches, barriers,
// pipelines, bytes copied. Nothing is played: command buffers are left out of every submit. A count above its
// budget fails the test; one far below it says that the budget is to be lowered. Kernels are chosen by what a
// device can do: the budgets are those of Mesa's software driver.
#include <stdlib.h>

#include <ebb/ebb.h>
#include <ebb/lab.h>

#include "backend/backend.h"
#include "backend/vulkan/device.h"
#include "test.h"

struct counts {
    long dispatches, barriers, pipelines, copied; // copied: bytes, by commands
};

static struct counts counts;
static struct ebb_vk_device_table real;

static VKAPI_ATTR void VKAPI_CALL count_dispatch(VkCommandBuffer b, uint32_t x, uint32_t y, uint32_t z)
{
    counts.dispatches++;
    real.CmdDispatch(b, x, y, z);
}

static VKAPI_ATTR void VKAPI_CALL count_barrier(VkCommandBuffer b, VkPipelineStageFlags from,
                                                VkPipelineStageFlags to, VkDependencyFlags flags, uint32_t n,
                                                const VkMemoryBarrier *all, uint32_t buffers,
                                                const VkBufferMemoryBarrier *buffer, uint32_t images,
                                                const VkImageMemoryBarrier *image)
{
    counts.barriers++;
    real.CmdPipelineBarrier(b, from, to, flags, n, all, buffers, buffer, images, image);
}

static VKAPI_ATTR VkResult VKAPI_CALL count_pipelines(VkDevice d, VkPipelineCache cache, uint32_t n,
                                                      const VkComputePipelineCreateInfo *infos,
                                                      const VkAllocationCallbacks *c, VkPipeline *pipelines)
{
    counts.pipelines += n;
    return real.CreateComputePipelines(d, cache, n, infos, c, pipelines);
}

static VKAPI_ATTR void VKAPI_CALL count_copy(VkCommandBuffer b, VkBuffer from, VkBuffer to, uint32_t n,
                                             const VkBufferCopy *regions)
{
    for (uint32_t i = 0; i < n; i++)
        counts.copied += (long)regions[i].size;
    real.CmdCopyBuffer(b, from, to, n, regions);
}

// Semaphores are signalled, nothing is computed.
static VKAPI_ATTR VkResult VKAPI_CALL submit_nothing(VkQueue queue, uint32_t n, const VkSubmitInfo *infos,
                                                     VkFence fence)
{
    VkSubmitInfo bare = infos[0];
    REQUIRE(n == 1);
    bare.commandBufferCount = 0;
    return real.QueueSubmit(queue, 1, &bare, fence);
}

static void watch(struct ebb_vk *vk)
{
    real = vk->vk;
    counts = (struct counts){0};
    vk->vk.CmdDispatch = count_dispatch;
    vk->vk.CmdPipelineBarrier = count_barrier;
    vk->vk.CreateComputePipelines = count_pipelines;
    vk->vk.CmdCopyBuffer = count_copy;
    vk->vk.QueueSubmit = submit_nothing;
}

static struct ebb_recipe *recipe_of(enum ebb_verb verb, int steps)
{
    struct ebb_recipe *recipe = ebb_recipe_create(verb);
    REQUIRE(recipe && ebb_recipe_set_number(recipe, "steps", steps, NULL) == EBB_OK);
    return recipe;
}

// The values are those of memory that nobody wrote: whether the call likes them does not matter.
static void generate(struct ebb_model *model, int steps)
{
    int shape[4];
    struct ebb_recipe *recipe = recipe_of(EBB_VERB_GENERATE, steps);
    REQUIRE(ebb_generate_latents(model, recipe, NULL, 0, shape, NULL, NULL) == EBB_OK);
    size_t count = (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
    float *latents = calloc(count, sizeof(float));
    REQUIRE(latents);
    ebb_generate_latents(model, recipe, latents, count, shape, NULL, NULL);
    free(latents);
    ebb_recipe_destroy(&recipe);
}

static void denoise(struct ebb_model *model, int steps)
{
    enum { RATE = 16000, FRAMES = 4 * RATE };
    static float noise[FRAMES];
    unsigned state = 1;
    for (int i = 0; i < FRAMES; i++)
        noise[i] = 0.1F * (float)(int)(state = state * 1664525u + 1013904223u) / 0x1p31F;
    struct ebb_recipe *recipe = recipe_of(EBB_VERB_DENOISE, steps);
    struct ebb_denoise *d = ebb_denoise_create(model, recipe, RATE, 1, NULL, NULL);
    REQUIRE(d);
    if (ebb_denoise_write(d, noise, FRAMES, NULL) == EBB_OK)
        ebb_denoise_finish(d, NULL);
    ebb_denoise_destroy(&d);
    ebb_recipe_destroy(&recipe);
}

static struct counts count_run(const char *name, void (*run)(struct ebb_model *, int), int steps)
{
    char path[4096];
    const char *data = getenv("EBB_TEST_DATA");
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create("vulkan", 0, NULL, &error);
    if (!device && !getenv("EBB_REQUIRE_VULKAN"))
        SKIP("%s", error.message);
    REQUIRE(device);
    if (!strstr(ebb_device_description(device), "llvmpipe")) {
        ebb_device_destroy(&device);
        SKIP("the device is not Mesa's software driver");
    }
    snprintf(path, sizeof(path), "%s/../models/%s", data ? data : "tests", name);
    struct ebb_model *model = ebb_model_open(path, &error);
    if (!model)
        TEST_FAIL("%s", error.message);
    struct ebb_vk *vk = device->state;
    watch(vk);
    if (ebb_model_load(model, device, &error) != EBB_OK)
        TEST_FAIL("%s", error.message);
    run(model, steps);
    vk->vk = real;
    ebb_model_close(&model);
    ebb_device_destroy(&device);
    return counts;
}

// More than `most` is too much; less than nine tenths of it, and the budget has grown too large.
static void check(const char *what, long got, long most)
{
    printf("#   %s: %ld of %ld\n", what, got, most);
    if (got > most || 10 * got < 9 * most)
        TEST_FAIL("%s: %ld, the budget is %ld", what, got, most);
}

static void check_budget(const char *name, void (*run)(struct ebb_model *, int), struct counts most)
{
    enum { FEW = 3, MORE = 5 };
    struct counts few = count_run(name, run, FEW), more = count_run(name, run, MORE);
    printf("# %s, a step:\n", name);
    check("dispatches", (more.dispatches - few.dispatches) / (MORE - FEW), most.dispatches);
    check("barriers", (more.barriers - few.barriers) / (MORE - FEW), most.barriers);
    check("bytes copied", (more.copied - few.copied) / (MORE - FEW), most.copied);
    printf("# %s, a run:\n", name);
    check("pipelines", more.pipelines, most.pipelines);
}

TEST(sfx)
{
    check_budget("sfx", generate, (struct counts){168, 169, 24, 0});
}

TEST(denoise)
{
    check_budget("denoise", denoise, (struct counts){100, 101, 22, 0});
}

TEST_MAIN
