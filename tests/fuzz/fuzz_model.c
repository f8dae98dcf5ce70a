// SPDX-License-Identifier: LGPL-2.1-or-later
// The text files of a model's folder that belong to no network: the first byte chooses one, the rest is its
// content. The folder's networks are the smallest there are, made here, and most inputs share them: otherwise
// nearly all of the time would go into reading the headers of their weights.
#include <ebb/model.h>

#include "diffusers/network_class.h"
#include "fuzz.h"
#include "memory_files.h"
#include "model/network.h"

static const char unet[] = "{\"_class_name\": \"UNet2DModel\", \"block_out_channels\": [4], "
                           "\"down_block_types\": [\"DownBlock2D\"], \"up_block_types\": [\"UpBlock2D\"], "
                           "\"layers_per_block\": 1, \"norm_num_groups\": 2, \"add_attention\": false, "
                           "\"in_channels\": 4, \"out_channels\": 4, \"sample_size\": [16, 32], "
                           "\"num_class_embeds\": 5}";
static const char vae[] = "{\"_class_name\": \"AutoencoderKL\", \"block_out_channels\": [4], "
                          "\"down_block_types\": [\"DownEncoderBlock2D\"], "
                          "\"up_block_types\": [\"UpDecoderBlock2D\"], \"layers_per_block\": 1, "
                          "\"norm_num_groups\": 2, \"mid_block_add_attention\": false, "
                          "\"in_channels\": 1, \"out_channels\": 1, \"latent_channels\": 4}";
static const char scheduler[] = "{\"_class_name\": \"DDIMScheduler\", \"num_train_timesteps\": 50, "
                                "\"beta_schedule\": \"squaredcos_cap_v2\"}";
static const char mel[] = "{\"sample_rate\": 4000, \"n_fft\": 256, \"hop_length\": 64, \"x_res\": 32, "
                          "\"y_res\": 16}";
static const char manifest[] = "{\"format\": 1, \"kind\": \"generate\", \"window_frames\": 32, "
                               "\"no_label\": 4, \"labels\": [{\"name\": \"rain\"}, {\"name\": \"kick\"}, "
                               "{\"name\": \"wind\"}, {\"name\": \"bell\"}], "
                               "\"mel\": {\"n_mels\": 16, \"n_fft\": 256, \"hop\": 64}}";

// What ebb.json says stands over what the others say, so it is there beside one of them alone.
static const struct {
    const char *name, *usual; // NULL: usually there is none
    bool beside_manifest;
} files[] = {
    {"ebb.json", NULL, false},
    {"model_index.json", NULL, false},
    {"mel/mel_config.json", mel, false},
    {"scheduler/scheduler_config.json", scheduler, true},
};
enum { FILES = sizeof(files) / sizeof(files[0]) };

// Folders that are there, and those that might be.
static const char *const folders[] = {"unet", "vae", "scheduler", "mel"};
static const char *const others[] = {"vqvae",          "classifier",       "text_encoder",   "vocoder",
                                     "text_encoder_2", "projection_model", "language_model", "tokenizer"};

// ---- networks that stay open ----

static struct {
    char folder[300];
    struct ebb_network *network;
} kept[2];
static bool anew; // this input opens its networks itself

struct ebb_network *__real_ebb_network_open(const char *folder, int roles, struct ebb_error *error);
struct ebb_network *__wrap_ebb_network_open(const char *folder, int roles, struct ebb_error *error);

static void keep_network(int i, const char *name, enum ebb_network_role role)
{
    static struct ebb_error error; // the network's config remembers it
    snprintf(kept[i].folder, sizeof(kept[i].folder), "%s/%s", fuzz_folder(), name);
    kept[i].network = __real_ebb_network_open(kept[i].folder, (int)role, &error);
    CHECK(kept[i].network);
}

// As when another model of the same files is open. What that one's ebb.json said of their sums is forgotten.
struct ebb_network *__wrap_ebb_network_open(const char *folder, int roles, struct ebb_error *error)
{
    struct ebb_network *found = NULL;
    for (int i = 0; i < 2; i++)
        if (!anew && kept[i].network && strcmp(kept[i].folder, folder) == 0)
            found = kept[i].network;
    if (!found)
        return __real_ebb_network_open(folder, roles, error);
    for (int i = 0; i < ebb_weight_files_count(found->files); i++)
        ebb_weight_files_expect(found->files, i, "");
    found->references++;
    return found;
}

// ---- the folder ----

static void put_text(const char *name, const char *text)
{
    memory_file_put_in(name, (const uint8_t *)text, text ? strlen(text) : 0);
}

static void put_folder(const char *name)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
    CHECK(mkdir(path, 0700) == 0);
}

// A file of zeros for these weights.
static void write_weights(FILE *file, const struct ebb_weights *weights)
{
    char *header = NULL;
    size_t length = 0, end = 0;
    FILE *text = open_memstream(&header, &length);
    for (int i = 0; i < weights->count; i++) {
        const struct ebb_wanted *item = weights->items[i];
        const struct ebb_weight *w = &item->weight;
        const int shape[] = {w->cout, w->cin, w->kh, w->kw};
        size_t count = 1;
        fprintf(text, "%c\"%s\":{\"dtype\":\"F32\",\"shape\":[", i ? ',' : '{', item->name);
        for (int k = 0; k < item->rank; k++) {
            fprintf(text, "%s%d", k ? "," : "", shape[k]);
            count *= (size_t)shape[k];
        }
        fprintf(text, "],\"data_offsets\":[%zu,%zu]}", end, end + count * sizeof(float));
        end += count * sizeof(float);
    }
    fputc('}', text);
    fclose(text);
    const uint64_t size = length;
    fwrite(&size, sizeof(size), 1, file);
    fwrite(header, 1, length, file);
    CHECK(fflush(file) == 0 && ftruncate(fileno(file), (off_t)(sizeof(size) + length + end)) == 0);
    free(header);
}

static void put_network(const char *folder, const char *config)
{
    char path[300];
    struct ebb_json_file json;
    put_folder(folder);
    snprintf(path, sizeof(path), "%s/config.json", folder);
    fuzz_put(path, (const uint8_t *)config, strlen(config));
    CHECK(ebb_json_parse(&json, path, config, strlen(config), EBB_JSON_PYTHON, NULL) == EBB_OK);
    const struct ebb_network_class *class = ebb_network_class_of(&json, ~0);
    void *net = class ? class->create(&json) : NULL;
    snprintf(path, sizeof(path), "%s/%s/diffusion_pytorch_model.safetensors", fuzz_folder(), folder);
    FILE *file = fopen(path, "w");
    CHECK(net && file);
    write_weights(file, class->weights(net));
    fclose(file);
    class->destroy(net);
    ebb_json_close(&json);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct ebb_error error = {0};
    put_network("unet", unet);
    put_network("vae", vae);
    put_folder("scheduler");
    put_folder("mel");
    for (int i = 0; i < FILES; i++)
        put_text(files[i].name, files[i].usual);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        put_text(others[i], NULL);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        put_text(folders[i], ""); // asked for as a path that exists
    put_text("ebb.json", manifest);
    struct ebb_model *model = ebb_model_open(fuzz_folder(), &error);
    if (!model)
        fprintf(stderr, "%s\n", error.message);
    CHECK(model);
    ebb_model_close(&model);
    keep_network(0, "unet", EBB_ROLE_UNET);
    keep_network(1, "vae", EBB_ROLE_AUTOENCODER);
    return 0;
}

static void check(struct ebb_model *model)
{
    const struct ebb_model_info *info = ebb_model_info(model);
    struct ebb_error error = {0};
    CHECK(info->name && info->sampler && info->steps > 0);
    for (int i = 0; i < info->label_count; i++)
        CHECK(ebb_model_label(model, i)->name);
    ebb_model_find_label(model, "rian", &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SELDOM = 64 };
    if (size == 0)
        return 0;
    int which = data[0] % FILES;
    struct ebb_error error = {0};
    anew = size % SELDOM == 0;
    put_text("ebb.json", files[which].beside_manifest ? manifest : NULL);
    memory_file_put_in(files[which].name, data + 1, size - 1);
    struct ebb_model *model = ebb_model_open(fuzz_folder(), &error);
    CHECK(model || (error.code != EBB_OK && *error.message));
    if (model)
        check(model);
    ebb_model_close(&model);
    put_text(files[which].name, files[which].usual);
    return 0;
}
