// SPDX-License-Identifier: LGPL-2.1-or-later
// Whole runs on Vulkan: recorded ahead, played in chunks, against the CPU; and what happens when the device
// fails in the middle. Without a usable device every test here is skipped; EBB_REQUIRE_VULKAN=1 makes that a
// failure.
#include <pthread.h>
#include <stdlib.h>

#include <ebb/ebb.h>
#include <ebb/lab.h>

#include "backend/backend.h"
#include "backend/vulkan/device.h"
#include "model/model.h"
#include "test.h"

// Set from the data that whole_runs_agree_with_the_cpu prints: 1.9e-6 at worst in 32 bits, 2.0e-3 in 16.
#define BOUND_FLOAT 5e-6
#define BOUND_HALF 5e-3
// One evaluation: 32 bits differ in the order of sums, 16 in what is stored between ops.
#define EVALUATION_FLOAT 2e-5
#define EVALUATION_HALF 5e-3

static struct ebb_model *open_on(const char *name, struct ebb_error *error)
{
    const char *data = getenv("EBB_TEST_DATA");
    char path[4096];
    snprintf(path, sizeof(path), "%s/models/tiny-sfx", data ? data : "tests");
    struct ebb_device *device = ebb_device_create(name, 1, NULL, error);
    struct ebb_model *model = device ? ebb_model_open(path, error) : NULL;
    if (model && ebb_model_load(model, device, error) != EBB_OK)
        ebb_model_close(&model);
    ebb_device_destroy(&device);
    return model;
}

static struct ebb_model *open_vulkan(void)
{
    struct ebb_error error = {0};
    struct ebb_model *model = open_on("vulkan", &error);
    if (!model && (error.code != EBB_NO_DEVICE || getenv("EBB_REQUIRE_VULKAN")))
        TEST_FAIL("%s", error.message);
    if (!model)
        SKIP("%s", error.message);
    return model;
}

static struct ebb_vk *vk_of(const struct ebb_model *model)
{
    return model->device->state;
}

// The final state of a run and its log-mel; count: of both together.
static enum ebb_result generate(struct ebb_model *model, const struct ebb_recipe *recipe, float *out,
                                size_t *count, const struct ebb_hooks *hooks, struct ebb_error *error)
{
    const struct ebb_model_info *info = ebb_model_info(model);
    int shape[4];
    enum ebb_result result = ebb_generate_latents(model, recipe, NULL, 0, shape, NULL, error);
    if (result != EBB_OK)
        return result;
    size_t latents = (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3],
           cells = (size_t)info->n_mels * (size_t)info->window_frames;
    *count = latents + cells;
    if (!out)
        return EBB_OK;
    result = ebb_generate_latents(model, recipe, out, latents, shape, hooks, error);
    return result == EBB_OK ? ebb_generate_mel(model, out, latents, out + latents, cells, error) : result;
}

static float *must_generate(struct ebb_model *model, const struct ebb_recipe *recipe,
                            const struct ebb_hooks *hooks, size_t *count)
{
    struct ebb_error error = {0};
    float *out = generate(model, recipe, NULL, count, NULL, &error) == EBB_OK ? calloc(*count, sizeof(float))
                                                                              : NULL;
    if (!out || generate(model, recipe, out, count, hooks, &error) != EBB_OK)
        TEST_FAIL("%s", error.message);
    return out;
}

// Under a sanitizer, as under the validation layer, it is the calls that are tested, not the numbers.
#if defined(__SANITIZE_ADDRESS__)
enum { OBSERVED = true };
#else
enum { OBSERVED = false };
#endif

// Draws noise at each step.
static struct ebb_recipe *few_steps(uint64_t seed, int steps)
{
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_GENERATE);
    REQUIRE(recipe && ebb_recipe_set(recipe, "sampler", "euler-a", NULL) == EBB_OK);
    REQUIRE(ebb_recipe_set_seed(recipe, "seed", seed, NULL) == EBB_OK);
    REQUIRE(ebb_recipe_set_number(recipe, "steps", steps, NULL) == EBB_OK);
    return recipe;
}

TEST(a_run_twice_is_the_same_bits_however_it_is_cut)
{
    struct ebb_model *model = open_vulkan();
    struct ebb_recipe *one = few_steps(1, 2), *two = few_steps(2, 2);
    size_t count;
    float *first = must_generate(model, one, NULL, &count),
          *other = must_generate(model, two, NULL, &count); // the same list, other noise
    float *again = must_generate(model, one, NULL, &count);
    REQUIRE(memcmp(first, again, count * sizeof(float)) == 0 &&
            memcmp(first, other, count * sizeof(float)) != 0);
    ebb_model_close(&model);

    model = open_vulkan();
    vk_of(model)->chunk_cost = 1; // every dispatch a submit
    float *cut = must_generate(model, one, NULL, &count);
    REQUIRE(memcmp(first, cut, count * sizeof(float)) == 0);
    ebb_model_close(&model);
    free(first);
    free(other);
    free(again);
    free(cut);
    ebb_recipe_destroy(&one);
    ebb_recipe_destroy(&two);
}

struct listener {
    double last;
    int calls, stop_at;
};

static bool listen(void *user, double fraction)
{
    struct listener *l = user;
    if (fraction < l->last)
        l->calls = -1000;
    l->last = fraction;
    return ++l->calls != l->stop_at;
}

TEST(progress_is_told_between_chunks_and_stops_the_run)
{
    struct ebb_model *model = open_vulkan();
    vk_of(model)->chunk_cost = 1;
    struct listener listener = {.stop_at = -1};
    struct ebb_recipe *recipe = few_steps(1, 4);
    struct ebb_hooks hooks = {sizeof(hooks), .progress = listen, .user = &listener};
    size_t count;
    float *whole = must_generate(model, recipe, &hooks, &count), *room = calloc(count, sizeof(float));
    REQUIRE(listener.calls > 3 && listener.last > 0.6);

    listener = (struct listener){.stop_at = listener.calls / 2};
    struct ebb_error error = {0};
    REQUIRE(generate(model, recipe, room, &count, &hooks, &error) == EBB_CANCELLED);
    float *after = must_generate(model, recipe, NULL, &count);
    REQUIRE(memcmp(whole, after, count * sizeof(float)) == 0);
    free(whole);
    free(after);
    free(room);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
}

// ---- against the CPU ----

static double relative_rms(const float *got, const float *want, size_t count)
{
    double difference = 0, power = 0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        power += (double)want[i] * want[i];
    }
    return sqrt(difference / power);
}

// The tiny U-Net's answer to noise, with and without a label.
static void evaluate_on(const char *device_name, const int shape[4], const float *input, double timestep,
                        float *output)
{
    struct ebb_error error = {0};
    const char *data = getenv("EBB_TEST_DATA");
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s/models/tiny-sfx/unet", data ? data : "tests");
    struct ebb_device *device = ebb_device_create(device_name, 1, NULL, &error);
    struct ebb_net *net = device ? ebb_net_open(folder, device, &error) : NULL;
    struct ebb_net_inputs inputs = {.timestep = timestep, .labels = (const int[]){2, -1}};
    if (!net || ebb_net_run(net, EBB_NET_FORWARD, shape, input, &inputs, output, &error) != EBB_OK)
        TEST_FAIL("%s: %s", device_name, error.message);
    ebb_net_close(&net);
    ebb_device_destroy(&device);
}

TEST(one_evaluation_agrees_with_the_cpu)
{
    struct ebb_model *model = open_vulkan();
    bool half = vk_of(model)->fp16;
    ebb_model_close(&model);
    const int shape[4] = {2, 4, 16, 32};
    enum { COUNT = 2 * 4 * 16 * 32 };
    static float input[COUNT], got[COUNT], want[COUNT];
    const double timesteps[] = {0, 321.5, 999};
    for (size_t i = 0; i < sizeof(timesteps) / sizeof(timesteps[0]); i++) {
        ebb_noise_normal(i, 0, 0, input, COUNT);
        evaluate_on("vulkan", shape, input, timesteps[i], got);
        evaluate_on("cpu", shape, input, timesteps[i], want);
        double relative = relative_rms(got, want, COUNT);
        printf("# timestep %g, relative rms: %.2e\n", timesteps[i], relative);
        REQUIRE(relative <= (half ? EVALUATION_HALF : EVALUATION_FLOAT));
    }
}

// Both devices run in 32 bits: what differs is the order of sums, made larger by the steps.
TEST(whole_runs_agree_with_the_cpu)
{
    struct ebb_error error = {0};
    struct ebb_model *model = open_vulkan(), *cpu = open_on("cpu", &error);
    REQUIRE(cpu);
    const int SEEDS = OBSERVED || vk_of(model)->instance->validating ? 2 : 32; // slow, and the same calls are
                                                                               // seen each time
    bool half = vk_of(model)->fp16;
    double worst = 0, mean = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_GENERATE);
        REQUIRE(recipe && ebb_recipe_set_seed(recipe, "seed", (uint64_t)seed, NULL) == EBB_OK);
        size_t count;
        float *got = must_generate(model, recipe, NULL, &count),
              *want = must_generate(cpu, recipe, NULL, &count);
        ebb_recipe_destroy(&recipe);
        double relative = relative_rms(got, want, count);
        worst = larger(worst, relative);
        mean += relative / SEEDS;
        free(got);
        free(want);
    }
    printf("# %d seeds, relative rms of state and log-mel: mean %.2e, worst %.2e\n", SEEDS, mean, worst);
    REQUIRE(worst <= (half ? BOUND_HALF : BOUND_FLOAT));
    ebb_model_close(&model);
    ebb_model_close(&cpu);
}

TEST(a_batch_of_four_is_four_singles)
{
    enum { N = 4, H = 16, W = 16 };
    const char *data = getenv("EBB_TEST_DATA");
    char path[4096];
    snprintf(path, sizeof(path), "%s/models/tiny-sfx/unet", data ? data : "tests");
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create("vulkan", 0, NULL, &error);
    if (!device)
        SKIP("%s", error.message);
    struct ebb_net *net = ebb_net_open(path, device, &error);
    if (!net)
        TEST_FAIL("%s", error.message);
    int input[4] = {N, 1, H, W}, output[4];
    while (input[1] < 16 && ebb_net_shape(net, EBB_NET_FORWARD, input, output, &error) != EBB_OK)
        input[1]++;
    size_t in = (size_t)input[1] * H * W, out = (size_t)output[1] * (size_t)output[2] * (size_t)output[3];
    float *x = calloc(N * in, sizeof(float)), *all = calloc(N * out, sizeof(float)),
          *one = calloc(out, sizeof(float));
    for (size_t i = 0; i < N * in; i++)
        x[i] = sinf(0.7f * (float)i);
    const struct ebb_net_inputs inputs = {.timestep = 500};
    REQUIRE(ebb_net_run(net, EBB_NET_FORWARD, input, x, &inputs, all, &error) == EBB_OK);
    input[0] = 1;
    for (size_t i = 0; i < N; i++) {
        REQUIRE(ebb_net_run(net, EBB_NET_FORWARD, input, x + i * in, &inputs, one, &error) == EBB_OK);
        REQUIRE(memcmp(one, all + i * out, out * sizeof(float)) == 0);
    }
    free(x);
    free(all);
    free(one);
    ebb_net_close(&net);
    ebb_device_destroy(&device);
}

// ---- sharing ----

struct render_thread {
    struct ebb_model *model;
    float *out;
    size_t count;
};

static void *work(void *user)
{
    struct render_thread *w = user;
    for (uint64_t seed = 0; seed < 3; seed++) {
        free(w->out);
        struct ebb_recipe *recipe = few_steps(seed, 2);
        w->out = must_generate(w->model, recipe, NULL, &w->count);
        ebb_recipe_destroy(&recipe);
    }
    return NULL;
}

TEST(threads_share_one_device)
{
    struct render_thread workers[2] = {{open_vulkan(), NULL, 0}, {open_vulkan(), NULL, 0}};
    REQUIRE(vk_of(workers[0].model) == vk_of(workers[1].model));
    vk_of(workers[0].model)->chunk_cost = 2000000; // so that they take turns
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        REQUIRE(pthread_create(&thread[i], NULL, work, &workers[i]) == 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    REQUIRE(memcmp(workers[0].out, workers[1].out, workers[0].count * sizeof(float)) == 0);
    for (int i = 0; i < 2; i++) {
        free(workers[i].out);
        ebb_model_close(&workers[i].model);
    }
}

// ---- what goes wrong ----

// Functions of the device's table, replaced by ones that fail at the n-th call.
static int calls_left;
static VkResult failure;
static struct ebb_vk_device_table real;

#define FAILING(name, parameters, arguments)                                                                 \
    static VKAPI_ATTR VkResult VKAPI_CALL failing_##name parameters                                          \
    {                                                                                                        \
        return calls_left-- == 0 ? failure : real.name arguments;                                            \
    }
FAILING(AllocateMemory,
        (VkDevice d, const VkMemoryAllocateInfo *i, const VkAllocationCallbacks *c, VkDeviceMemory *m),
        (d, i, c, m))
FAILING(AllocateCommandBuffers, (VkDevice d, const VkCommandBufferAllocateInfo *i, VkCommandBuffer *b),
        (d, i, b))
FAILING(CreateBuffer, (VkDevice d, const VkBufferCreateInfo *i, const VkAllocationCallbacks *c, VkBuffer *b),
        (d, i, c, b))
FAILING(CreateDescriptorPool,
        (VkDevice d, const VkDescriptorPoolCreateInfo *i, const VkAllocationCallbacks *c,
         VkDescriptorPool *p),
        (d, i, c, p))
FAILING(AllocateDescriptorSets, (VkDevice d, const VkDescriptorSetAllocateInfo *i, VkDescriptorSet *s),
        (d, i, s))
FAILING(EndCommandBuffer, (VkCommandBuffer b), (b))
FAILING(QueueSubmit, (VkQueue q, uint32_t n, const VkSubmitInfo *i, VkFence f), (q, n, i, f))
FAILING(WaitSemaphores, (VkDevice d, const VkSemaphoreWaitInfo *i, uint64_t t), (d, i, t))

static void break_table(struct ebb_vk *vk, int which)
{
    real = vk->vk;
    switch (which) {
    case 0: vk->vk.AllocateMemory = failing_AllocateMemory; break;
    case 1: vk->vk.AllocateCommandBuffers = failing_AllocateCommandBuffers; break;
    case 2: vk->vk.CreateBuffer = failing_CreateBuffer; break;
    case 3: vk->vk.CreateDescriptorPool = failing_CreateDescriptorPool; break;
    case 4: vk->vk.AllocateDescriptorSets = failing_AllocateDescriptorSets; break;
    case 5: vk->vk.EndCommandBuffer = failing_EndCommandBuffer; break;
    case 6: vk->vk.QueueSubmit = failing_QueueSubmit; break;
    case 7: vk->vk.WaitSemaphores = failing_WaitSemaphores; break;
    }
}

static const struct {
    const char *name;
    VkResult result;
    enum ebb_result code;
    int stride; // every call, or where there are thousands, some of them
} breaks[] = {
    {"AllocateMemory", VK_ERROR_OUT_OF_DEVICE_MEMORY, EBB_OUT_OF_MEMORY, 1},
    {"AllocateCommandBuffers", VK_ERROR_OUT_OF_HOST_MEMORY, EBB_OUT_OF_MEMORY, 1},
    {"CreateBuffer", VK_ERROR_OUT_OF_DEVICE_MEMORY, EBB_OUT_OF_MEMORY, 37},
    {"CreateDescriptorPool", VK_ERROR_OUT_OF_POOL_MEMORY, EBB_OUT_OF_MEMORY, 1},
    {"AllocateDescriptorSets", VK_ERROR_OUT_OF_POOL_MEMORY, EBB_OUT_OF_MEMORY, 61},
    {"EndCommandBuffer", VK_ERROR_OUT_OF_DEVICE_MEMORY, EBB_OUT_OF_MEMORY, 1},
    {"QueueSubmit", VK_ERROR_DEVICE_LOST, EBB_DEVICE_FAILED, 1},
    {"WaitSemaphores", VK_ERROR_DEVICE_LOST, EBB_DEVICE_FAILED, 1},
};

// Opens the tiny model and generates with the n-th call of function `which` failing. False: there were fewer
// calls.
static bool fails_at(int which, int n)
{
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create("vulkan", 0, NULL, &error);
    struct ebb_vk *vk = device ? device->state : NULL;
    REQUIRE(vk);
    calls_left = n;
    failure = breaks[which].result;
    vk->chunk_cost = 80000000; // some submits a run
    break_table(vk, which);
    struct ebb_model *model = open_on("vulkan", &error);
    struct ebb_recipe *recipe = few_steps(1, 2);
    float *room = calloc(1 << 20, sizeof(float));
    size_t count;
    bool good = model && generate(model, recipe, room, &count, NULL, &error) == EBB_OK;
    bool reached = calls_left < 0;
    vk->vk = real;
    ebb_model_close(&model);
    ebb_device_destroy(&device);
    ebb_recipe_destroy(&recipe);
    free(room);
    if (reached && (good || error.code != breaks[which].code || !strstr(error.message, "while")))
        TEST_FAIL("%s, call %d: %s, code %d, \"%s\"", breaks[which].name, n, good ? "went well" : "failed",
                  (int)error.code, error.message);
    if (!reached && !good)
        TEST_FAIL("%s, call %d: %s", breaks[which].name, n, error.message);
    return reached;
}

// A GPU, as far as "auto" knows, without memory for the model.
TEST(auto_plays_on_the_cpu_when_the_model_does_not_fit)
{
    struct ebb_model *model = open_vulkan();
    struct ebb_vk *vk = vk_of(model);
    struct ebb_vk_physical *physical = (struct ebb_vk_physical *)vk->physical;
    bool software = physical->software;
    physical->software = false;
    vk->chunk_cost = 2000000000;
    real = vk->vk;
    calls_left = 0;
    failure = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    vk->vk.AllocateMemory = failing_AllocateMemory;

    struct ebb_error error = {0};
    struct ebb_model *automatic = open_on("auto", &error);
    bool gpu = automatic && strcmp(ebb_device_kind(automatic->device), "vulkan") == 0;
    struct ebb_recipe *recipe = few_steps(1, 2);
    float *room = calloc(1 << 20, sizeof(float));
    size_t count;
    bool good = automatic && generate(automatic, recipe, room, &count, NULL, &error) == EBB_OK;
    const char *why = automatic ? ebb_device_fallback(automatic->device) : NULL;
    bool told = why && strstr(why, "memory") && strcmp(ebb_device_kind(automatic->device), "cpu") == 0;
    vk->vk = real;
    physical->software = software;
    ebb_model_close(&automatic);
    ebb_model_close(&model);
    ebb_recipe_destroy(&recipe);
    free(room);
    if (!gpu || !good || !told)
        TEST_FAIL("on a GPU first: %d, plays: %d, says why: %d, \"%s\"", gpu, good, told, error.message);
}

TEST(every_failing_call_of_a_run_is_an_error_and_the_next_open_works)
{
    struct ebb_model *model = open_vulkan();
    bool enough = vk_of(model)->fp16 || vk_of(model)->instance->validating;
    ebb_model_close(&model);
    if (enough)
        SKIP("a hundred openings: done in 32 bits, without the layer");
    for (int which = 0; which < (int)(sizeof(breaks) / sizeof(breaks[0])); which++) {
        int n = 0;
        while (fails_at(which, n))
            n += breaks[which].stride;
        printf("# %s: %d calls\n", breaks[which].name, n);
        REQUIRE(n > 0);
    }
    model = open_vulkan();
    struct ebb_recipe *recipe = few_steps(1, 2);
    size_t count;
    float *result = must_generate(model, recipe, NULL, &count);
    REQUIRE(result);
    ebb_recipe_destroy(&recipe);
    free(result);
    ebb_model_close(&model);
}

TEST(the_validation_layer_had_nothing_to_say)
{
    struct ebb_model *model = open_vulkan();
    bool validating = vk_of(model)->instance->validating;
    ebb_model_close(&model);
    char first[400];
    int count = ebb_vk_validation_messages(first, sizeof(first));
    if (!validating)
        SKIP("the layer is off, or not installed");
    if (count)
        TEST_FAIL("%d messages, the first: %s", count, first);
}

TEST_MAIN
