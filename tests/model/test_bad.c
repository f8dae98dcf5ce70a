// SPDX-License-Identifier: LGPL-2.1-or-later
// Damaged model folders: each is refused when it is opened, with a sentence that names the damage, and
// leaves no memory behind.
#include <ebb/model.h>
#include <ebb/net.h>

#include "scratch.h"

#define WEIGHTS "unet/diffusion_pytorch_model.safetensors"

// Opens and loads the scratch folder: it must fail like this. What would take long is a timeout of the
// test's.
static void refused(const char *what, enum ebb_result code, const char *word1, const char *word2)
{
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create("ref", 1, NULL, NULL);
    struct ebb_model *model = ebb_model_open(scratch, &error);
    bool failed = !model || ebb_model_load(model, device, &error) != EBB_OK;
    ebb_model_close(&model);
    ebb_device_destroy(&device);
    printf("# %s\n", error.message);
    if (!failed)
        TEST_FAIL("%s: accepted", what);
    if (error.code != code || !strstr(error.message, word1) || !strstr(error.message, word2))
        TEST_FAIL("%s: expected %s with \"%s\" and \"%s\"", what, ebb_result_name(code), word1, word2);
}

// What is put for what in which file, how that is refused and the words that say so.
struct damage {
    const char *file, *old, *new;
    enum ebb_result code;
    const char *word1, *word2;
};

static void edits_refused(const char *model, const struct damage *edits, size_t count)
{
    for (const struct damage *edit = edits; edit < edits + count; edit++) {
        scratch_make(model);
        scratch_replace(edit->file, edit->old, edit->new);
        refused(edit->new, edit->code, edit->word1, edit->word2);
    }
}

// The scratch folder opens and loads.
static void taken(const char *what)
{
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create("ref", 1, NULL, NULL);
    struct ebb_model *model = ebb_model_open(scratch, &error);
    if (!model || ebb_model_load(model, device, &error))
        TEST_FAIL("%s: %s", what, error.message);
    ebb_model_close(&model);
    ebb_device_destroy(&device);
}

TEST(the_copies_themselves_are_good)
{
    static const char *const names[] = {"models/tiny-sfx", "models/tiny-direct", "models/tiny-denoise",
                                        "models/tiny-led", "models/tiny-folded"};
    for (int i = 0; i < 5; i++) {
        scratch_make(names[i]);
        taken(names[i]);
    }
    scratch_remove();
}

// Editors on Windows write a byte order mark.
TEST(a_mark_in_front_of_json_is_none_of_it)
{
    static const char *const files[] = {"ebb.json", "unet/config.json", "vae/config.json",
                                        "scheduler/scheduler_config.json"};
    scratch_make("models/tiny-sfx");
    for (int i = 0; i < 4; i++)
        scratch_replace(files[i], "{", "\xef\xbb\xbf{");
    taken("marks in front of all JSON files");
    scratch_remove();
}

TEST(edited_json)
{
    static const struct damage cases[] = {
        {"unet/config.json", "UNet2DModel", "UNet3DConditionModel", EBB_UNSUPPORTED, "unet/config.json",
         "UNet3DConditionModel"},
        {"unet/config.json", "\"UNet2DModel\"", "7", EBB_CORRUPT, "_class_name", "7"},
        {"vae/config.json", "AutoencoderKL", "VQModel", EBB_UNSUPPORTED, "vae/config.json", "VQModel"},
        {"unet/config.json", "\"DownBlock2D\"", "\"KDownBlock2D\"", EBB_UNSUPPORTED, "down_block_types[0]",
         "KDownBlock2D"},
        {"unet/config.json", "\"DownBlock2D\"", "\"SkipDownBlock2D\"", EBB_UNSUPPORTED, "down_block_types",
         "Skip blocks alone"},
        {"unet/config.json", "\"UpBlock2D\"", "\"KUpBlock2D\"", EBB_UNSUPPORTED, "up_block_types[1]",
         "KUpBlock2D"},
        {"unet/config.json", "\"UNetMidBlock2D\"", "\"UNetMidBlock2DCrossAttn\"", EBB_UNSUPPORTED,
         "mid_block_type", "CrossAttn"},
        {"unet/config.json", "\"silu\"", "\"tanh\"", EBB_UNSUPPORTED, "act_fn", "tanh"},
        {"unet/config.json", "\"default\"", "\"ada_group\"", EBB_UNSUPPORTED, "resnet_time_scale_shift",
         "ada_group"},
        {"unet/config.json", "\"positional\"", "\"rotary\"", EBB_UNSUPPORTED, "time_embedding_type",
         "rotary"},
        {"unet/config.json", "\"class_embed_type\": null", "\"class_embed_type\": \"projection\"",
         EBB_UNSUPPORTED, "class_embed_type", "projection"},
        {"unet/config.json", "\"downsample_padding\": 1", "\"downsample_padding\": 2", EBB_CORRUPT,
         "downsample_padding", "0 to 1"},
        {"unet/config.json", "\"layers_per_block\": 1", "\"layers_per_block\": \"one\"", EBB_CORRUPT,
         "layers_per_block", "\"one\""},
        {"unet/config.json", "\"layers_per_block\": 1", "\"layers_per_block\": 2", EBB_CORRUPT, "resnets.1",
         "(16, 32, 3, 3)"},
        {"unet/config.json", "\"in_channels\": 4", "\"in_channels\": 5", EBB_CORRUPT, "(8, 4, 3, 3)",
         "(8, 5, 3, 3)"},
        {"unet/config.json", "\"norm_num_groups\": 4", "\"norm_num_groups\": 3", EBB_UNSUPPORTED,
         "norm_num_groups", "divisor"},
        {"unet/config.json", "\"norm_num_groups\": 4", "\"norm_num_groups\": 0", EBB_CORRUPT,
         "norm_num_groups", "0"},
        {"unet/config.json", "\"norm_num_groups\": 4", "\"norm_num_groups\": null", EBB_UNSUPPORTED,
         "norm_num_groups", "null"},
        {"unet/config.json", "\"norm_eps\": 1e-05", "\"norm_eps\": NaN", EBB_CORRUPT, "norm_eps", "a number"},
        {"unet/config.json", "\"block_out_channels\": [\n    8,", "\"block_out_channels\": [\n    8.5,",
         EBB_CORRUPT, "block_out_channels", "8.5"},
        {"unet/config.json", "\"block_out_channels\": [\n    8,", "\"block_out_channels\": [\n    8, 8,",
         EBB_CORRUPT, "down_block_types", "3 blocks"},
        {"unet/config.json", "{", "{\"act_fn\": \"silu\", ", EBB_CORRUPT, "unet/config.json", "duplicate"},
        {"unet/config.json", "}", "", EBB_CORRUPT, "unet/config.json", "line"},
        {"unet/config.json", "{", "[", EBB_CORRUPT, "unet/config.json", "line"},
        {"scheduler/scheduler_config.json", "DDIMScheduler", "ScoreSdeVpScheduler", EBB_UNSUPPORTED,
         "scheduler_config.json", "ScoreSdeVp"},
        {"scheduler/scheduler_config.json", "squaredcos_cap_v2", "wavy", EBB_UNSUPPORTED, "beta_schedule",
         "wavy"},
        {"scheduler/scheduler_config.json", "\"num_train_timesteps\": 1000", "\"num_train_timesteps\": []",
         EBB_CORRUPT, "num_train_timesteps", "an integer"},
        {"scheduler/scheduler_config.json", "\"trained_betas\": null", "\"trained_betas\": [0.1, NaN]",
         EBB_CORRUPT, "trained_betas[1]", "a number"},
        {"scheduler/scheduler_config.json", "v_prediction", "guess", EBB_UNSUPPORTED, "prediction_type",
         "guess"},
        {"ebb.json", "\"format\": 1", "\"format\": 2", EBB_CORRUPT, "ebb.json", "format"},
        {"ebb.json", "\"format\": 1,", "", EBB_CORRUPT, "format", "missing"},
        {"ebb.json", "\"generate\"", "\"destroy\"", EBB_UNSUPPORTED, "kind", "destroy"},
        {"ebb.json", "\"labels\": [", "\"labels\": [7, ", EBB_CORRUPT, "labels", "objects"},
        {"ebb.json", "\"labels\": [", "\"labels\": [{\"name\": \"a\"}, {\"name\": \"b\"}, ", EBB_CORRUPT,
         "labels", "at most 5"},
        {"ebb.json", "\"texture\"", "\"drone\"", EBB_UNSUPPORTED, "labels[0].kind", "drone"},
        {"ebb.json", "\"score\": 0.5", "\"score\": 5", EBB_CORRUPT, "labels[0].score", "5"},
        {"ebb.json", "\"score\": 0.5", "\"guidance\": -1", EBB_CORRUPT, "labels[0].guidance", "-1"},
        {"ebb.json", "\"score\": 0.5", "\"guidance\": \"much\"", EBB_CORRUPT, "labels[0].guidance", "number"},
        {"ebb.json", "\"no_label\": 4", "\"no_label\": 5", EBB_CORRUPT, "no_label", "5"},
        {"ebb.json", "\"default_label\": \"rain\"", "\"default_label\": \"snow\"", EBB_CORRUPT,
         "default_label", "snow"},
        {"ebb.json", "\"sample_rate\": 48000", "\"sample_rate\": true", EBB_CORRUPT, "mel.sample_rate",
         "true"},
        {"ebb.json", "\"n_mels\": 128", "\"n_mels\": 96", EBB_CORRUPT, "height", "16"},
        {"ebb.json", "\"n_mels\": 128", "\"n_mels\": 100", EBB_CORRUPT, "mel bands", "fold"},
        {"ebb.json", "\"std\": 0.75", "\"std\": 0", EBB_CORRUPT, "latent.std", "0"},
        {"ebb.json", "\"std\": 0.75", "\"std\": 0.75, \"silence\": -2", EBB_CORRUPT, "latent.silence", "-2"},
        {"ebb.json", "\"shape\": [\n   4", "\"shape\": [\n   3", EBB_CORRUPT, "channel count", "3"},
        {"ebb.json", "dpmpp-2m", "magic", EBB_UNSUPPORTED, "recommended.sampler", "magic"},
        {"ebb.json", "\"steps\": 4", "\"steps\": 1e9", EBB_CORRUPT, "recommended.steps", "1000"},
        {"ebb.json", "\"steps\": 4", "\"steps\": 4, \"guidance_from\": 0.5, \"guidance_to\": 0.2",
         EBB_CORRUPT, "recommended.guidance_to", "0.5"},
        {"ebb.json", "\"no_label\": 4", "\"student\": {\"first_class\": 2}, \"no_label\": 4", EBB_CORRUPT,
         "student.first_class", "behind the teacher's"},
        {"ebb.json", "\"no_label\": 4", "\"student\": {\"steps\": 0}, \"no_label\": 4", EBB_CORRUPT,
         "student.steps", "0"},
        {"ebb.json", "safetensors\": \"a", "safetensors\": \"b", EBB_CORRUPT, WEIGHTS, "SHA-256"},
        {"ebb.json", "safetensors\": \"", "safetensors\": \"x", EBB_CORRUPT, "sha256.unet", "hex"},
        {"ebb.json", "\"name\": \"rain\"", "\"name\": \"\xff\"", EBB_CORRUPT, "ebb.json", "decode byte 0xff"},
    };
    edits_refused("models/tiny-sfx", cases, sizeof(cases) / sizeof(cases[0]));
    scratch_remove();
}

// Squares of 2 x 2 cells are folded into the 4 channels of its autoencoder.
TEST(folds_that_an_autoencoder_does_not_have)
{
    static const struct damage cases[] = {
        {"ebb.json", "\"patch\"", "\"patched\"", EBB_CORRUPT, "channel count is 4", "1"},
        {"ebb.json", "\"patch\": [\n  2", "\"patch\": [\n  1", EBB_CORRUPT, "channel count is 4", "2"},
        {"ebb.json", "\"patch\": [\n  2", "\"patch\": [\n  3", EBB_CORRUPT, "mel bands", "fold"},
    };
    edits_refused("models/tiny-folded", cases, sizeof(cases) / sizeof(cases[0]));
}

// The largest numbers that each of them may be.
TEST(sizes_that_are_too_large_together)
{
    scratch_make("models/tiny-sfx");
    scratch_replace("ebb.json", "\"n_fft\": 2048,\n  \"hop\": 512", "\"n_fft\": 65536, \"hop\": 65536");
    scratch_replace("ebb.json", "\"window_frames\": 256", "\"window_frames\": 65536");
    refused("a window", EBB_CORRUPT, "65536 frames", "2147483647");

    scratch_make("models/tiny-sfx"); // what it was trained on decides nothing here
    scratch_replace("unet/config.json", "16,\n    32", "65536,\n    65536");
    struct ebb_error error = {0};
    struct ebb_model *model = ebb_model_open(scratch, &error);
    if (!model)
        TEST_FAIL("%s", error.message);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(products_that_take_more_memory_than_is_allowed)
{
    scratch_make("models/tiny-sfx");
    scratch_replace("ebb.json", "\"window_frames\": 256", "\"window_frames\": 65536");
    refused("a long window", EBB_UNSUPPORTED, "x 65536", "EBB_MEMORY=");
    scratch_make("models/tiny-sfx");
    setenv("EBB_MEMORY", "1M", 1);
    refused("a small bound", EBB_UNSUPPORTED, "a mel spectrogram of", "EBB_MEMORY=");
    unsetenv("EBB_MEMORY");
    scratch_replace("ebb.json", "\"n_fft\": 2048", "\"n_fft\": 65536");
    setenv("EBB_MEMORY", "100M", 1);
    refused("a large transform", EBB_UNSUPPORTED, "a spectrogram of 32769 x 256", "EBB_MEMORY=");
    unsetenv("EBB_MEMORY");
    scratch_remove();
}

TEST(one_shard_under_many_names)
{
    enum { TENSORS = 4000, NAMES = 256 };
    static char header[TENSORS * 80], index[NAMES * 40 + 100];
    size_t n = 0, m = (size_t)sprintf(index, "{\"weight_map\": {");
    header[n++] = '{';
    for (int i = 0; i < TENSORS; i++)
        n += (size_t)sprintf(header + n,
                             "%s\"ema.%d\": {\"dtype\": \"F32\", \"shape\": [0], \"data_offsets\": [0, 0]}",
                             i ? "," : "", i);
    strcpy(header + n, "}");
    scratch_make("models/tiny-sfx");
    scratch_safetensors(WEIGHTS, header, 0);
    for (int i = 0; i < NAMES; i++) {
        char name[40];
        sprintf(name, "unet/s%03d", i);
        REQUIRE(link(scratch_path(WEIGHTS), scratch_path(name)) == 0);
        m += (size_t)sprintf(index + m, "%s\"ema.%d\": \"s%03d\"", i ? "," : "", i, i);
    }
    strcpy(index + m, "}}");
    REQUIRE(unlink(scratch_path(WEIGHTS)) == 0);
    scratch_write("unet/diffusion_pytorch_model.safetensors.index.json", index, strlen(index));
    refused("256 names", EBB_CORRUPT, "24000 tensors in 6 files", "20000 in all");
    scratch_remove();
}

TEST(tables_of_automatic_t)
{
    static const struct damage cases[] = {
        {"ebb.json", "\"t_default\"", "\"auto_doubt\": [[0, 1], [0, 0]], \"t_default\"", EBB_CORRUPT,
         "denoise.auto_doubt", "rising"},
        {"ebb.json", "\"t_default\"", "\"auto_doubt\": [[0, 1.5]], \"t_default\"", EBB_CORRUPT,
         "denoise.auto_doubt", "0 to 1"},
        {"ebb.json", "\"t_default\"", "\"auto_doubt\": [[0]], \"t_default\"", EBB_CORRUPT,
         "denoise.auto_doubt[0]", "a pair"},
        {"ebb.json", "\"t_default\"", "\"auto_doubt\": {}, \"t_default\"", EBB_CORRUPT, "denoise.auto_doubt",
         "list"},
        {"ebb.json", "\"t_default\"", "\"auto_unsure\": [[0, -0.1]], \"t_default\"", EBB_CORRUPT,
         "denoise.auto_unsure", "0 to 1"},
        {"ebb.json", "\"t_default\"", "\"auto_voice\": [[0.8, 1], [0.7, 0]], \"t_default\"", EBB_CORRUPT,
         "denoise.auto_voice", "rising"},
        {"ebb.json", "\"auto_t\": [", "\"auto_t\": [7, ", EBB_CORRUPT, "denoise.auto_t[0]", "a pair"},
    };
    edits_refused("models/tiny-denoise", cases, sizeof(cases) / sizeof(cases[0]));
    scratch_remove();
}

TEST(json_beyond_all_measure)
{
    scratch_make("models/tiny-sfx");
    char *text = malloc(3 << 20);
    memset(text, '[', 3 << 20);
    scratch_write("ebb.json", text, 100000);
    refused("deep", EBB_CORRUPT, "ebb.json", "nested");
    scratch_write("ebb.json", text, 3 << 20);
    refused("long", EBB_CORRUPT, "ebb.json", "3145728");
    scratch_write("ebb.json", "", 0);
    refused("empty", EBB_CORRUPT, "ebb.json", "line");
    free(text);
    scratch_remove();
}

TEST(things_that_are_not_there)
{
    static const struct {
        const char *gone;
        enum ebb_result code;
    } cases[] = {{"unet/config.json", EBB_NOT_FOUND},
                 {WEIGHTS, EBB_NOT_FOUND},
                 {"unet", EBB_WRONG_TYPE},
                 {"vae/config.json", EBB_NOT_FOUND},
                 {"scheduler/scheduler_config.json", EBB_NOT_FOUND}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scratch_make("models/tiny-sfx");
        run("rm -r '%s'%s", scratch_path(cases[i].gone), "");
        refused(cases[i].gone, cases[i].code, scratch,
                cases[i].code == EBB_WRONG_TYPE ? "unet" : cases[i].gone);
    }
    scratch_make(NULL);
    refused("empty folder", EBB_WRONG_TYPE, scratch, "not a model folder");
    run("rmdir '%s'%s", scratch, "");
    refused("no folder", EBB_NOT_FOUND, scratch, "no model folder");
    FILE *file = fopen(scratch, "w");
    fclose(file);
    refused("a file", EBB_WRONG_TYPE, scratch, "expected a model folder");
    scratch_remove();
}

#define LFS_POINTER "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 20900000\n"

TEST(things_that_are_something_else)
{
    scratch_make("models/tiny-sfx");
    run("rm '%s' && mkdir '%s'", scratch_path("unet/config.json"), scratch_path("unet/config.json"));
    refused("a folder for a file", EBB_WRONG_TYPE, "unet/config.json", "folder");
    scratch_make("models/tiny-sfx");
    run("rm '%s' && mkfifo '%s'", scratch_path(WEIGHTS), scratch_path(WEIGHTS));
    refused("a pipe", EBB_WRONG_TYPE, WEIGHTS, "special");
    scratch_make("models/tiny-sfx");
    run("mv '%s' '%s'", scratch_path(WEIGHTS), scratch_path("unet/diffusion_pytorch_model.bin"));
    refused("safetensors under another name", EBB_CORRUPT, "diffusion_pytorch_model.bin",
            "a safetensors file");
    scratch_make("models/tiny-sfx");
    scratch_write(WEIGHTS, LFS_POINTER, strlen(LFS_POINTER));
    refused("a pointer for weights", EBB_CORRUPT, WEIGHTS, "Git LFS");
    scratch_make("models/tiny-sfx");
    scratch_write("unet/config.json", LFS_POINTER, strlen(LFS_POINTER));
    refused("a pointer for a config", EBB_CORRUPT, "unet/config.json", "Git LFS");
    scratch_make("models/tiny-sfx");
    scratch_replace("unet/config.json", "{", "\xff\xfe{");
    refused("a config in UTF-16", EBB_CORRUPT, "unet/config.json", "UTF-16");
    scratch_make("models/tiny-sfx");
    run("cp '%s' '%s'", scratch_path("ebb.json"), scratch_path(WEIGHTS));
    refused("other data", EBB_CORRUPT, WEIGHTS, "not safetensors");
    scratch_make("models/tiny-sfx");
    run("chmod 000 '%s'%s", scratch_path("unet/config.json"), "");
    if (geteuid() != 0) // root reads everything
        refused("unreadable", EBB_UNREADABLE, "unet/config.json", "ermission");
    scratch_make("models/tiny-sfx");
    run("rm '%s'; echo '{\"_class_name\": \"StableDiffusionXLPipeline\"}' > '%s'", scratch_path("ebb.json"),
        scratch_path("model_index.json"));
    refused("another pipeline", EBB_UNSUPPORTED, "model_index.json", "StableDiffusionXLPipeline");
    scratch_remove();
}

TEST(damaged_weights)
{
    struct stat info;
    scratch_make("models/tiny-sfx");
    REQUIRE(stat(scratch_path(WEIGHTS), &info) == 0);
    static const double parts[] = {0.99, 0.5, 0.05, 0.001, 0};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        REQUIRE(truncate(scratch_path(WEIGHTS), (off_t)(parts[i] * (double)info.st_size)) == 0);
        refused("cut short", EBB_CORRUPT, WEIGHTS,
                parts[i] > 0.001 ? "cut short"
                : parts[i] > 0   ? "bytes"
                                 : "empty");
    }

    scratch_make("models/tiny-sfx");
    scratch_poke(WEIGHTS, -1, "\x55", 1);
    refused("one byte", EBB_CORRUPT, WEIGHTS, "SHA-256");

    scratch_make("models/tiny-sfx");
    scratch_replace("ebb.json", "sha256", "sums");
    scratch_poke(WEIGHTS, -2, "\x00\x7c", 2); // infinity in half precision
    refused("infinity", EBB_CORRUPT, WEIGHTS, "not finite");

    scratch_make("models/tiny-sfx");
    scratch_poke(WEIGHTS, 0, "\0\0\0\0\0\0\0\x40", 8);
    refused("huge header", EBB_CORRUPT, WEIGHTS, "4611686018427387904");
    scratch_poke(WEIGHTS, 0, "\0\0\0\x20\0\0\0\0", 8);
    REQUIRE(truncate(scratch_path(WEIGHTS), 1LL << 30) == 0);
    refused("huge header in a huge file", EBB_CORRUPT, WEIGHTS, "536870912");
    scratch_remove();
}

#define CLASSIFIER "classifier/diffusion_pytorch_model.safetensors"

TEST(classifiers_that_do_not_fit)
{
    static const struct damage cases[] = {
        {"classifier/config.json", "EncoderUNet2DModel", "UNet2DModel", EBB_UNSUPPORTED,
         "classifier/config.json", "EncoderUNet2DModel"},
        {"classifier/config.json", "\"num_labels\": 4", "\"num_labels\": 5", EBB_CORRUPT, CLASSIFIER,
         "expected (5"},
        {"classifier/config.json", "\"num_labels\": 4,", "", EBB_CORRUPT, "num_labels", "missing"},
        {"classifier/config.json", "\"num_labels\": 4", "\"num_labels\": 0", EBB_CORRUPT, "num_labels",
         "1 to"},
        {"classifier/config.json", "\"mean\"", "\"max\"", EBB_UNSUPPORTED, "pool", "max"},
        {"classifier/config.json", "\"kick\"", "\"snare\"", EBB_CORRUPT,
         "label 1 of its classifier is \"snare\"", "kick"},
        {"classifier/config.json", "\"kick\"", "7", EBB_CORRUPT, "label 1 of its classifier is \"\"", "kick"},
        {"classifier/config.json", "\"in_channels\": 4", "\"in_channels\": 8", EBB_CORRUPT, "(8, 4, 3, 3)",
         "(8, 8, 3, 3)"},
        {"classifier/config.json", "\"norm_num_groups\": 4", "\"norm_num_groups\": 3", EBB_UNSUPPORTED,
         "classifier/config.json", "divisor"},
        {"classifier/config.json", "\"class_embed_type\": null", "\"class_embed_type\": \"timestep\"",
         EBB_UNSUPPORTED, "class_embed_type", "told no class"},
        {"classifier/config.json", "\"AttnDownBlock2D\"", "\"KDownBlock2D\"", EBB_UNSUPPORTED,
         "down_block_types[1]", "KDownBlock2D"},
        {"classifier/config.json", "{", "[", EBB_CORRUPT, "classifier/config.json", "line"},
        {"ebb.json", "{\n   \"name\": \"rain\",\n   \"kind\": \"texture\"\n  },", "", EBB_CORRUPT,
         "number of labels of its classifier", "3"},
        {"ebb.json", "safetensors\": \"7", "safetensors\": \"8", EBB_CORRUPT, CLASSIFIER, "SHA-256"},
    };
    edits_refused("models/tiny-led", cases, sizeof(cases) / sizeof(cases[0]));

    scratch_make("models/tiny-led");
    REQUIRE(unlink(scratch_path(CLASSIFIER)) == 0);
    refused("no weights", EBB_NOT_FOUND, "classifier", "safetensors");
    scratch_make("models/tiny-led");
    REQUIRE(unlink(scratch_path("classifier/config.json")) == 0);
    refused("no config", EBB_NOT_FOUND, "classifier/config.json", "");
    scratch_make("models/tiny-led");
    REQUIRE(truncate(scratch_path(CLASSIFIER), 20000) == 0);
    refused("cut short", EBB_CORRUPT, CLASSIFIER, "cut short");
    scratch_make("models/tiny-led");
    scratch_poke(CLASSIFIER, -1, "\x55", 1);
    refused("one byte", EBB_CORRUPT, CLASSIFIER, "SHA-256");
    scratch_make("models/tiny-led");
    run("cp -r '%s/classifier' '%s/../ebb-test-elsewhere'", scratch, scratch);
    scratch_make("models/tiny-denoise"); // a model without labels
    run("mv '%s/../ebb-test-elsewhere' '%s/classifier'", scratch, scratch);
    refused("no labels", EBB_CORRUPT, "number of labels of its classifier is 4", "0");
    scratch_remove();
}

TEST(made_up_headers)
{
#define ENTRY(dtype, shape, offsets)                                                                         \
    "{\"a\": {\"dtype\": \"" dtype "\", \"shape\": " shape ", \"data_offsets\": " offsets "}}"
    static const struct {
        const char *header;
        size_t bytes;
        const char *word;
    } cases[] = {
        {"{}", 0, "missing"},
        {"{}", 4, "the file has 4"},
        {"[]", 0, "object"},
        {"{\"a\": 7}", 4, "exactly"},
        {ENTRY("F32", "[1]", "[0, 4], \"more\": 1"), 4, "exactly"},
        {ENTRY("F32", "[1]", "[0, 4]"), 4, "no place"},
        {ENTRY("Q4", "[1]", "[0, 4]"), 4, "dtype"},
        {ENTRY("F32", "[2]", "[0, 4]"), 4, "do not give"},
        {ENTRY("F32", "[-1]", "[0, 4]"), 4, "shape"},
        {ENTRY("F32", "[1.0]", "[0, 4]"), 4, "shape"},
        {ENTRY("F32", "[1,1,1,1,1,1,1,1,1]", "[0, 4]"), 4, "shape"},
        {ENTRY("F32", "[4611686018427387904, 4]", "[0, 0]"), 0, "do not give"},
        {ENTRY("F32", "[1]", "[4, 0]"), 4, "data_offsets"},
        {ENTRY("F32", "[1]", "[4, 8]"), 8, "hole"},
        {ENTRY("F32", "[1]", "[0, 99999999999999999999]"), 4, "big"},
        {ENTRY("F32", "[1]", "[0, 4]"), 3, "cut short"},
        {ENTRY("F4", "[1]", "[0, 0]"), 0, "do not give"},
        {"{\"__metadata__\": {\"a\": 1}}", 0, "strings"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}, "
         "\"b\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [4, 12]}}",
         12, "overlap"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [0], \"data_offsets\": [0, 0]}, "
         "\"a\": {\"dtype\": \"F32\", \"shape\": [0], \"data_offsets\": [0, 0]}}",
         0, "duplicate"},
        {"{\"conv_in.weight\": {\"dtype\": \"F32\", \"shape\": [8, 36], \"data_offsets\": [0, 1152]}}", 1152,
         "(8, 4, 3, 3)"},
        {"{\"conv_in.bias\": {\"dtype\": \"I64\", \"shape\": [8], \"data_offsets\": [0, 64]}}", 64, "I64"},
        {"{\"bad\\u001b[31mname\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}", 4,
         "bad?[31mname"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scratch_make("models/tiny-sfx");
        scratch_safetensors(WEIGHTS, cases[i].header, cases[i].bytes);
        refused(cases[i].header, strcmp(cases[i].word, "I64") == 0 ? EBB_UNSUPPORTED : EBB_CORRUPT, WEIGHTS,
                cases[i].word);
    }
    scratch_remove();
}

TEST(shards_that_do_not_fit)
{
    static const struct {
        const char *old, *new, *word;
    } cases[] = {
        {"diffusion_pytorch_model-00001", "../diffusion_pytorch_model-00001", "same folder"},
        {"diffusion_pytorch_model-00001", "/etc/diffusion_pytorch_model-00001", "same folder"},
        {"\"diffusion_pytorch_model-00001-of-00003.safetensors\"", "7", "a string"},
        {"-00001-of-00003", "-00002-of-00003", "is not in"},
        {"\"weight_map\"", "\"map\"", "weight_map"},
        {"\"weight_map\": {", "\"weight_map\": {}, \"old\": {", "weight_map"},
        {"\"weight_map\": {",
         "\"weight_map\": {\"more\": \"diffusion_pytorch_model-00001-of-00003.safetensors\",", "is not in"},
        {"\"conv_in.bias\"", "\"conv_in.other\"", "is not in"},
    };
    struct ebb_device *device = ebb_device_create("ref", 1, NULL, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ebb_error error = {0};
        scratch_make("golden/nets/three-levels");
        scratch_replace("diffusion_pytorch_model.safetensors.index.json", cases[i].old, cases[i].new);
        struct ebb_net *net = ebb_net_open(scratch, device, &error);
        printf("# %s\n", error.message);
        REQUIRE(net == NULL && error.code == EBB_CORRUPT);
        if (!strstr(error.message, cases[i].word))
            TEST_FAIL("expected \"%s\"", cases[i].word);
    }
    scratch_make("golden/nets/three-levels");
    run("rm '%s'%s", scratch_path("diffusion_pytorch_model-00002-of-00003.safetensors"), "");
    struct ebb_error error = {0};
    REQUIRE(ebb_net_open(scratch, device, &error) == NULL && error.code == EBB_NOT_FOUND);
    REQUIRE(strstr(error.message, "00002"));
    ebb_device_destroy(&device);
    scratch_remove();
}

// Any single damage to the header or the configs: refused or harmless, never a crash (the sanitizers look
// on).
TEST(random_damage)
{
    static const char *const files[] = {WEIGHTS,    "unet/config.json",
                                        "ebb.json", "scheduler/scheduler_config.json",
                                        CLASSIFIER, "classifier/config.json"};
    uint32_t state = 1;
    scratch_make("models/tiny-led");
    for (int f = 0; f < 6; f++) {
        size_t size;
        char *text = scratch_read(files[f], &size);
        for (int i = 0; i < 150; i++) {
            state = state * 1664525 + 1013904223;
            size_t at = (state >> 8) % (size < 6000 ? size : 6000);
            char byte = (char)(state >> 3);
            scratch_poke(files[f], (long)at, &byte, 1);
            struct ebb_model *model = ebb_model_open(scratch, NULL);
            ebb_model_close(&model);
            scratch_poke(files[f], (long)at, text + at, 1);
        }
        free(text);
    }
    struct ebb_model *model = ebb_model_open(scratch, NULL);
    REQUIRE(model != NULL);
    ebb_model_close(&model);
    scratch_remove();
}

TEST_MAIN
