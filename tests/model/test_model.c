// SPDX-License-Identifier: LGPL-2.1-or-later
// Finding, opening, describing, sharing and closing models.
#include <pthread.h>

#include <ebb/model.h>

#include "model/hub_cache.h"
#include "model/model.h"
#include "model/workspace.h"
#include "scratch.h"

static struct ebb_model *opened(const char *name)
{
    struct ebb_error error = {0};
    struct ebb_model *model = ebb_model_open(name, &error);
    if (!model)
        TEST_FAIL("%s: %s", name, error.message);
    return model;
}

static void load(struct ebb_model *model, struct ebb_device *device)
{
    struct ebb_error error = {0};
    if (ebb_model_load(model, device, &error))
        TEST_FAIL("%s", error.message);
}

static const char *data(const char *name)
{
    static char path[600];
    snprintf(path, sizeof(path), "%s/%s", getenv("EBB_TEST_DATA"), name);
    return path;
}

TEST(the_device_is_known_once_loaded)
{
    struct ebb_device *ref = ebb_device_create("ref", 1, NULL, NULL),
                      *cpu = ebb_device_create("cpu", 1, NULL, NULL);
    struct ebb_model *model = opened(data("models/tiny-sfx"));
    REQUIRE(ref && cpu && !ebb_model_device(model));
    load(model, ref);
    REQUIRE(ebb_model_device(model) == ref);
    load(model, cpu);
    REQUIRE(ebb_model_device(model) == cpu);
    ebb_model_close(&model);
    ebb_device_destroy(&ref);
    ebb_device_destroy(&cpu);
}

TEST(without_a_device_the_library_chooses_one)
{
    struct ebb_device *ref = ebb_device_create("ref", 1, NULL, NULL);
    struct ebb_model *model = opened(data("models/tiny-sfx"));
    load(model, NULL);
    REQUIRE(ebb_model_device(model));
    load(model, ref);
    load(model, NULL);
    REQUIRE(ebb_model_device(model) == ref);
    ebb_model_close(&model);
    ebb_device_destroy(&ref);
}

TEST(names_are_looked_for_in_order)
{
    char path[600], list[1200];
    struct ebb_error error = {0};
    scratch_make(NULL);
    run("mkdir '%s' '%s'", scratch_path("tiny-sfx"), scratch_path("only-here"));
    snprintf(list, sizeof(list), "/nowhere::%s:%s", data("models"), scratch);
    setenv("EBB_MODEL_PATH", list, 1);
    REQUIRE(ebb_model_find("tiny-sfx", path, sizeof(path), &error) == EBB_OK);
    REQUIRE_STRING(path, data("models/tiny-sfx"));
    REQUIRE(ebb_model_find("only-here", path, sizeof(path), &error) == EBB_OK);
    REQUIRE_STRING(path, scratch_path("only-here"));

    setenv("EBB_MODEL_PATH", "", 1);
    setenv("XDG_DATA_HOME", scratch, 1);
    run("mkdir -p '%s' '%s'", scratch_path("ebb/models/user"), scratch_path("system/ebb/models/sys"));
    setenv("XDG_DATA_DIRS", scratch_path("system"), 1);
    REQUIRE(ebb_model_find("user", path, sizeof(path), &error) == EBB_OK);
    REQUIRE(ebb_model_find("sys", path, sizeof(path), &error) == EBB_OK);
    REQUIRE_STRING(path, scratch_path("system/ebb/models/sys"));

    REQUIRE(ebb_model_find("tiny-sfx", path, sizeof(path), &error) == EBB_NOT_FOUND);
    REQUIRE(strstr(error.message, "tiny-sfx") && strstr(error.message, scratch));
    REQUIRE(ebb_model_find("./tiny-sfx", path, sizeof(path), &error) == EBB_NOT_FOUND);
    REQUIRE(ebb_model_find("", path, sizeof(path), &error) == EBB_INVALID);
    REQUIRE(ebb_model_find("user", path, 4, &error) != EBB_OK);
    unsetenv("XDG_DATA_HOME");
    unsetenv("XDG_DATA_DIRS");
    scratch_remove();
}

static void found(const char *name, const char *expected)
{
    char path[600];
    struct ebb_error error = {0};
    if (ebb_model_find(name, path, sizeof(path), &error) != EBB_OK)
        TEST_FAIL("%s: %s", name, error.message);
    REQUIRE_STRING(path, scratch_path(expected));
}

static void not_found(const char *name, const char *words, const char *more)
{
    char path[600];
    struct ebb_error error = {0};
    REQUIRE(ebb_model_find(name, path, sizeof(path), &error) == EBB_NOT_FOUND);
    if (!strstr(error.message, words) || !strstr(error.message, more))
        TEST_FAIL("%s: %s", name, error.message);
}

// As huggingface_hub lays it out: snapshots are folders of links into blobs.
TEST(models_in_a_hugging_face_cache)
{
    scratch_make(NULL);
    run("mkdir -p '%s' '%s'", scratch_path("hub/models--someone--tiny-sfx/blobs"),
        scratch_path("hub/models--someone--tiny-sfx/refs"));
    run("cd '%s' && mkdir -p snapshots/0f1e && cp -r '%s'/. snapshots/0f1e && cd snapshots/0f1e && "
        "chmod -R u+w . && find . -type f | while read f; do b=$(sha256sum \"$f\" | cut -c1-64); "
        "mv \"$f\" ../../blobs/$b; ln -s \"$(cd ../../blobs && pwd)/$b\" \"$f\"; done",
        scratch_path("hub/models--someone--tiny-sfx"), data("models/tiny-sfx"));
    run("echo 0f1e > '%s'; mkdir -p '%s'", scratch_path("hub/models--someone--tiny-sfx/refs/main"),
        scratch_path("hub/models--an-org--a.model_2/snapshots/a1"));
    run("mkdir -p '%s' '%s'", scratch_path("hub/models--no--snapshots/snapshots"),
        scratch_path("hub/datasets--x--y"));

    static const char snapshot[] = "hub/models--someone--tiny-sfx/snapshots/0f1e";
    setenv("HF_HUB_CACHE", scratch_path("hub"), 1);
    setenv("HF_HOME", "/nowhere", 1);
    found("someone/tiny-sfx", snapshot);
    found("models--someone--tiny-sfx", snapshot);
    found(scratch_path("hub/models--someone--tiny-sfx"), snapshot);
    found(scratch_path("hub/models--someone--tiny-sfx/"), "hub/models--someone--tiny-sfx//snapshots/0f1e");
    found(scratch_path(snapshot), snapshot);
    found("an-org/a.model_2", "hub/models--an-org--a.model_2/snapshots/a1"); // without refs
    not_found("someone/else", "someone/else", "an-org/a.model_2, no/snapshots, someone/tiny-sfx");
    not_found("no/snapshots", "there is no snapshot", "models--no--snapshots");
    not_found("some/../one", "there is no model folder", "");
    not_found("../tiny-sfx", "there is no model folder", "");

    struct ebb_error error = {0};
    struct ebb_model *model = ebb_model_open("someone/tiny-sfx", &error);
    if (!model)
        TEST_FAIL("%s", error.message);
    REQUIRE_STRING(ebb_model_info(model)->path, scratch_path(snapshot));
    ebb_model_close(&model);
    char *name = ebb_hub_model_name(scratch_path(snapshot)), *plain = ebb_hub_model_name("/a/models--x--y/b");
    REQUIRE_STRING(name, "tiny-sfx"); // not its commit
    REQUIRE_STRING(plain, "b");
    free(name);
    free(plain);

    unsetenv("HF_HUB_CACHE");
    setenv("HF_HOME", scratch, 1);
    found("someone/tiny-sfx", snapshot);
    unsetenv("HF_HOME");
    setenv("XDG_CACHE_HOME", scratch, 1);
    not_found("someone/tiny-sfx", "huggingface/hub", "has no models (nothing is downloaded)");
    run("cd '%s' && mkdir huggingface && mv hub huggingface%s", scratch, "");
    found("someone/tiny-sfx", "huggingface/hub/models--someone--tiny-sfx/snapshots/0f1e");
    unsetenv("XDG_CACHE_HOME");
    scratch_remove();
}

TEST(what_a_latent_model_says)
{
    struct ebb_model *model = opened(data("models/tiny-sfx"));
    const struct ebb_model_info *info = ebb_model_info(model);
    REQUIRE(info->kind == EBB_MODEL_GENERATE && info->latent);
    REQUIRE_STRING(info->name, "tiny-sfx");
    REQUIRE(info->sample_rate == 48000 && info->hop == 512 && info->n_mels == 128 &&
            info->window_frames == 256);
    REQUIRE(info->window_samples == 131072 && info->steps == 4 && info->guidance == 2);
    REQUIRE_STRING(info->sampler, "dpmpp-2m");
    REQUIRE_STRING(info->licence, "CC0-1.0");
    REQUIRE(info->credit == NULL && info->parameters == 66173);
    REQUIRE(info->label_count == 4 && info->default_label == 0);
    REQUIRE(ebb_model_label(model, 1)->kind == EBB_LABEL_EVENT &&
            ebb_model_label(model, 0)->kind == EBB_LABEL_TEXTURE);
    REQUIRE(ebb_model_label(model, 4) == NULL && ebb_model_label(model, -1) == NULL);
    REQUIRE(model->no_label == 4 && model->state[0] == 4 && model->state[1] == 16 && model->state[2] == 32);
    REQUIRE(model->state_stride == 8 && model->latent_mean[2] == -0.25f && model->latent_std == 0.75f);
    REQUIRE(model->run.prediction == EBB_PREDICT_V && model->run.clip == 0 && !model->conditioned);
    REQUIRE(model->mel.coding == EBB_MEL_CODING_ABSOLUTE && model->mel.norm == EBB_MEL_NORM_NONE);
    ebb_model_close(&model);
    REQUIRE(model == NULL);
    ebb_model_close(&model);
}

TEST(what_a_denoiser_says)
{
    struct ebb_model *model = opened(data("models/tiny-denoise"));
    REQUIRE(model->info.kind == EBB_MODEL_DENOISE && model->conditioned && model->info.label_count == 0);
    REQUIRE(model->patch[0] == 4 && model->patch[1] == 2 && model->state[0] == 8 && model->state_stride == 2);
    REQUIRE(model->change_db == 30 && model->auto_t.count == 3 && model->auto_t.points[1].x == 10 &&
            model->auto_t.points[1].y == 0.5);
    REQUIRE(model->run.prediction == EBB_PREDICT_X0 && model->run.clip == 1);
    ebb_model_close(&model);
}

TEST(the_shipped_models_are_whole)
{
    struct ebb_device *device = ebb_device_create("cpu", 2, NULL, NULL);
    static const char *const names[] = {"../models/sfx", "../models/denoise"};
    for (int i = 0; i < 2; i++) {
        struct ebb_model *model = opened(data(names[i]));
        load(model, device); // the sums, too
        REQUIRE(model->info.licence && model->info.credit && model->info.provenance &&
                strlen(model->info.hash) == 64);
        REQUIRE(model->info.kind == (i ? EBB_MODEL_DENOISE : EBB_MODEL_GENERATE));
        if (i == 0)
            REQUIRE(model->info.label_count >= 20 && model->info.default_label >= 0 &&
                    model->info.classifier && model->classifier);
        ebb_model_close(&model);
    }
    ebb_device_destroy(&device);
}

TEST(labels_have_near_names)
{
    struct ebb_error error = {0};
    struct ebb_model *model = opened(data("models/tiny-sfx"));
    REQUIRE(ebb_model_find_label(model, "wind", &error) == 2);
    REQUIRE(ebb_model_find_label(model, "wnd", &error) == -1 && error.code == EBB_NOT_FOUND);
    REQUIRE(strstr(error.message, "\"wnd\"") && strstr(error.message, "near it: wind") &&
            !strstr(error.message, "rain"));
    REQUIRE(ebb_model_find_label(model, "trombone", &error) == -1);
    REQUIRE(strstr(error.message, "its 4 labels are rain, kick, wind, bell"));
    ebb_model_close(&model);

    model = opened(data("models/tiny-direct"));
    REQUIRE(ebb_model_find_label(model, "rain", &error) == -1 && strstr(error.message, "no labels"));
    ebb_model_close(&model);
}

TEST(every_label_is_found_and_the_first_of_two_of_one_name)
{
    struct ebb_model *model = opened(data("models/tiny-sfx"));
    for (int i = 0; i < ebb_model_info(model)->label_count; i++)
        REQUIRE(ebb_model_find_label(model, ebb_model_label(model, i)->name, NULL) == i);
    ebb_model_close(&model);
    scratch_make("models/tiny-sfx");
    scratch_replace("ebb.json", "\"name\": \"wind\"", "\"name\": \"kick\"");
    model = opened(scratch);
    REQUIRE(ebb_model_find_label(model, "kick", NULL) == 1 && ebb_model_find_label(model, "bell", NULL) == 3);
    REQUIRE(ebb_model_find_label(model, "wind", NULL) == -1);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(the_hash_is_that_of_configs_and_weights)
{
    char first[65], second[65];
    struct ebb_device *device = ebb_device_create("ref", 1, NULL, NULL);
    struct ebb_model *model = opened(data("models/tiny-sfx"));
    snprintf(first, sizeof(first), "%s", model->info.hash);
    REQUIRE(strlen(first) == 64);
    load(model, device);
    REQUIRE_STRING(model->info.hash, first);
    ebb_model_close(&model);

    scratch_make("models/tiny-sfx"); // the same bytes elsewhere are the same model
    model = opened(scratch);
    REQUIRE_STRING(model->info.hash, first);
    ebb_model_close(&model);

    scratch_replace("ebb.json", "\"sha256\"", "\"sums\""); // no sums: read for the hash
    model = opened(scratch);
    load(model, device);
    snprintf(second, sizeof(second), "%s", model->info.hash);
    REQUIRE(strlen(second) == 64 && strcmp(first, second) != 0);
    ebb_model_close(&model);
    scratch_poke("unet/diffusion_pytorch_model.safetensors", -4, "ab", 2);
    model = opened(scratch);
    REQUIRE(strcmp(second, model->info.hash) != 0);
    snprintf(second, sizeof(second), "%s", model->info.hash);
    ebb_model_close(&model);
    scratch_replace("unet/config.json", "\"dropout\": 0.0", "\"dropout\": 0.1");
    model = opened(scratch);
    REQUIRE(strcmp(second, model->info.hash) != 0);
    ebb_model_close(&model);
    ebb_device_destroy(&device);
    scratch_remove();
}

// ---- sharing ----

TEST(one_copy_of_the_weights)
{
    struct ebb_device *device = ebb_device_create("ref", 1, NULL, NULL);
    struct ebb_model *a = opened(data("models/tiny-sfx")), *b = opened(data("models/../models/tiny-sfx"));
    scratch_make("models/tiny-sfx");
    struct ebb_model *elsewhere = opened(scratch);
    load(a, device);
    load(b, device);
    load(elsewhere, device);
    REQUIRE(a->unet && a->unet == b->unet && a->vae && a->vae == b->vae);
    REQUIRE(elsewhere->unet != a->unet);
    const struct ebb_unet *unet = b->unet;
    ebb_model_close(&a); // b goes on
    a = opened(data("models/tiny-sfx"));
    load(a, device);
    REQUIRE(a->unet == unet);
    ebb_model_close(&a);
    ebb_model_close(&b);
    ebb_model_close(&elsewhere);
    ebb_device_destroy(&device);
    scratch_remove();
}

static char shared_path[600];

static void *open_load_close(void *device)
{
    for (int i = 0; i < 20; i++) {
        struct ebb_model *model = ebb_model_open(shared_path, NULL);
        if (!model || ebb_model_load(model, device, NULL))
            return device;
        ebb_model_close(&model);
    }
    return NULL;
}

TEST(many_threads_load_and_close)
{
    pthread_t threads[4];
    snprintf(shared_path, sizeof(shared_path), "%s", data("models/tiny-sfx"));
    struct ebb_device *device = ebb_device_create("ref", 1, NULL, NULL);
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, open_load_close, device) == 0);
    int failed = 0;
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        failed += result != NULL;
    }
    REQUIRE(failed == 0);
    ebb_device_destroy(&device);
}

TEST(the_workspace_goes_before_the_device_changes)
{
    struct ebb_device *one = ebb_device_create("ref", 1, NULL, NULL),
                      *two = ebb_device_create("cpu", 1, NULL, NULL);
    struct ebb_model *model = opened(data("models/tiny-direct"));
    load(model, one);
    REQUIRE(model->workspace == NULL);
    REQUIRE(ebb_model_ready(model, NULL) == EBB_OK);
    struct ebb_workspace *first = model->workspace;
    load(model, one);
    REQUIRE(first && model->workspace == first);
    load(model, two);
    REQUIRE(model->workspace == NULL && model->device == two);
    ebb_device_destroy(&one);
    ebb_device_destroy(&two); // the model still holds it
    ebb_model_close(&model);
}

TEST(a_file_that_changed_after_opening)
{
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create("ref", 1, NULL, NULL);
    scratch_make("models/tiny-direct");
    struct ebb_model *model = opened(scratch);
    scratch_poke("unet/diffusion_pytorch_model.safetensors", -4, "ab", 2);
    REQUIRE(ebb_model_load(model, device, &error) == EBB_CORRUPT);
    printf("# %s\n", error.message);
    REQUIRE(model->device == NULL);
    ebb_model_close(&model);
    ebb_device_destroy(&device);
    scratch_remove();
}

// ---- folders that were not made for us ----

static void write_text(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text));
}

TEST(an_audio_diffusion_pipeline)
{
    static const char *const libraries[] = {"diffusers", "audio_diffusion", "audiodiffusion.mel"};
    for (int i = 0; i < 3; i++) {
        char index[400];
        scratch_make("models/tiny-sfx");
        run("cd '%s' && rm ebb.json && mv vae vqvae && mkdir mel%s", scratch, "");
        snprintf(index, sizeof(index),
                 "{\"_class_name\": \"AudioDiffusionPipeline\", \"mel\": [\"%s\", \"Mel\"], \"unet\": "
                 "[\"diffusers\", \"UNet2DModel\"], \"vqvae\": [\"diffusers\", \"AutoencoderKL\"]}",
                 libraries[i]);
        write_text("model_index.json", index);
        write_text("mel/mel_config.json",
                   "{\"_class_name\": \"Mel\", \"x_res\": 256, \"y_res\": 128, \"top_db\": 60.0, "
                   "\"n_fft\": 2000, \"sample_rate\": 22050, \"hop_length\": 512, \"n_iter\": 32}");
        struct ebb_model *model = opened(scratch);
        REQUIRE(model->info.kind == EBB_MODEL_GENERATE && model->info.latent && model->mel.n_fft == 2000);
        REQUIRE(model->mel.coding == EBB_MEL_CODING_DIFFUSERS && model->mel.top_db == 60 &&
                model->mel.n_mels == 128);
        REQUIRE(model->mel.norm == EBB_MEL_NORM_SLANEY && model->mel.fmax == 11025 &&
                model->info.window_frames == 256);
        REQUIRE(model->state[1] == 16 && model->state[2] == 32 && model->latent_mean[0] == 0);
        REQUIRE_NEAR(model->latent_std, 1 / 0.18215, 1e-6, "one over the scaling factor");
        REQUIRE(model->info.label_count == 5 && model->no_label == -1); // a class table nobody named
        REQUIRE_STRING(ebb_model_label(model, 3)->name, "3");
        REQUIRE(model->info.name && strstr(scratch, model->info.name));
        REQUIRE_STRING(model->info.sampler, "ddim");
        ebb_model_close(&model);
    }
    scratch_remove();
}

TEST(an_autoencoder_with_a_shift)
{
    scratch_make("models/tiny-sfx");
    scratch_replace("vae/config.json", "\"shift_factor\": null", "\"shift_factor\": 0.5");
    scratch_replace("vae/config.json", "\"scaling_factor\": 0.18215", "\"scaling_factor\": 4");
    run("rm '%s'%s", scratch_path("ebb.json"), "");
    run("mkdir '%s'%s", scratch_path("mel"), "");
    write_text("mel/mel_config.json", "{\"x_res\": 256, \"y_res\": 128}");
    struct ebb_model *model = opened(scratch);
    REQUIRE(model->latent_std == 0.25f && model->latent_mean[0] == 0.5f && model->latent_mean[3] == 0.5f);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(a_bare_network_and_its_scheduler)
{
    scratch_make("models/tiny-direct");
    run("rm '%s'%s", scratch_path("ebb.json"), "");
    struct ebb_model *model = opened(scratch);
    REQUIRE(!model->info.latent && model->files && model->state[0] == 4 && model->state[1] == 32 &&
            model->state[2] == 64);
    REQUIRE_STRING(model->info.sampler, "ddpm");
    REQUIRE(model->info.steps == 1000 && model->info.guidance == 1 && model->run.clip == 1);
    ebb_model_close(&model);

    // Without an autoencoder, as its index says, whatever lies beside it.
    write_text("model_index.json", "{\"_class_name\": \"AudioDiffusionPipeline\", \"vqvae\": [null, null]}");
    run("mkdir '%s'%s", scratch_path("vqvae"), "");
    model = opened(scratch);
    REQUIRE(!model->info.latent);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(python_infinity_in_a_config)
{
    scratch_make("models/tiny-direct");
    scratch_replace("scheduler/scheduler_config.json", "{",
                    "{\"lambda_min_clipped\": -Infinity, \"x\": [NaN, Infinity], "
                    "\"y\": \"-Infinity \\\" NaN\",");
    struct ebb_model *model = opened(scratch);
    ebb_model_close(&model);
    scratch_remove();
}

static int warnings;
static void count_warnings(void *user, enum ebb_log_level level, const char *message)
{
    warnings += level == EBB_LOG_WARNING && strstr(message, "colour, taste") != NULL;
}

TEST(unknown_scheduler_keys_are_warned_about)
{
    const struct ebb_log log = {.write = count_warnings};
    struct ebb_device *device = ebb_device_create("ref", 1, &log, NULL);
    REQUIRE(device);
    scratch_make("models/tiny-sfx");
    for (int spoilt = 0; spoilt < 2; spoilt++) {
        struct ebb_model *model = opened(scratch);
        load(model, device);
        REQUIRE(warnings == spoilt);
        ebb_model_close(&model);
        scratch_replace("scheduler/scheduler_config.json", "{", "{\"colour\": 1, \"taste\": null,");
    }
    ebb_device_destroy(&device);
    scratch_remove();
}

TEST_MAIN
