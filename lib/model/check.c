// SPDX-License-Identifier: LGPL-2.1-or-later
// Checks that the parts of a model fit together.
#include <limits.h>
#include <string.h>

#include <ebb/memory.h>

#include "base/base.h"
#include "model/model_files.h"
#include "nets/unet2d.h"

static enum ebb_result mismatch(const struct ebb_model *model, struct ebb_error *error, const char *what,
                                int found, int expected)
{
    return ebb_fail(error, EBB_CORRUPT, "%s: %s is %d, expected %d", model->files->path, what, found,
                    expected);
}

static enum ebb_result check_latent(struct ebb_model *model, int height, int width, struct ebb_error *error)
{
    const struct ebb_autoencoder *vae = model->vae;
    int shape[3] = {ebb_autoencoder_latent_channels(vae), height, width};
    static const char *const names[3] = {"the latent's channel count", "the latent's height",
                                         "the latent's width"};
    enum { COLOURS = 3 };
    int in = ebb_autoencoder_in_channels(vae), out = ebb_autoencoder_out_channels(vae);
    int cells = model->patch[0] * model->patch[1], expected = cells == 1 && out == COLOURS ? COLOURS : cells;
    if (in != expected || out != expected)
        return mismatch(model, error, "the autoencoder's channel count", in == expected ? out : in, expected);
    for (int i = 0; i < 3; i++) {
        if (model->state[i] && model->state[i] != shape[i])
            return mismatch(model, error, names[i], model->state[i], shape[i]);
        model->state[i] = shape[i];
    }
    return EBB_OK;
}

// Sides are bounded where they are read; their product is bounded here, by the memory that it leads to.
static enum ebb_result check_product(const struct ebb_model *model, const char *what, int a, int b,
                                     size_t copies, struct ebb_error *error)
{
    size_t product = (size_t)a * (size_t)b, most = ebb_memory_bound() / sizeof(float) / copies;
    if (product <= most)
        return EBB_OK;
    return ebb_fail(
        error, EBB_UNSUPPORTED,
        "%s: %s of %d x %d, expected at most %zu values; EBB_MEMORY=%zuM in the environment allows it",
        model->files->path, what, a, b, most, (product * copies * sizeof(float) >> 20) + 1);
}

static enum ebb_result check_window(const struct ebb_model *model, struct ebb_error *error)
{
    enum { MEL_COPIES = 32, SPECTROGRAM_COPIES = 8 }; // that a run keeps of one window
    int frames = model->info.window_frames;
    enum ebb_result result = check_product(model, "a mel spectrogram", model->mel.n_mels, frames, MEL_COPIES,
                                           error);
    return result == EBB_OK ? check_product(model, "a spectrogram", model->mel.n_fft / 2 + 1, frames,
                                            SPECTROGRAM_COPIES, error)
                            : result;
}

static enum ebb_result check_state(struct ebb_model *model, struct ebb_error *error)
{
    const struct ebb_unet *unet = model->unet;
    int reduction = model->vae ? ebb_autoencoder_reduction(model->vae) : 1;
    int rows = model->patch[0] * reduction, columns = model->patch[1] * reduction;
    int height = model->mel.n_mels / rows, width = model->info.window_frames / columns;
    if (model->info.window_frames > INT_MAX / model->mel.hop)
        return ebb_fail(error, EBB_CORRUPT,
                        "%s: a window of %d frames every %d samples, expected at most %d samples in all",
                        model->files->path, model->info.window_frames, model->mel.hop, INT_MAX);
    if (check_window(model, error) != EBB_OK)
        return error->code;
    if (model->mel.n_mels % rows)
        return mismatch(model, error, "mel bands beyond a multiple of what the network folds",
                        model->mel.n_mels % rows, 0);
    if (model->info.window_frames % columns)
        return mismatch(model, error, "window frames beyond a multiple of what the network folds",
                        model->info.window_frames % columns, 0);
    model->state_stride = columns;

    if (model->vae) {
        enum ebb_result result = check_latent(model, height, width, error);
        if (result != EBB_OK)
            return result;
    } else {
        model->state[0] = model->patch[0] * model->patch[1];
        model->state[1] = height;
        model->state[2] = width;
        // A bare network of another domain still runs: coder.c says what of its channels is heard.
        if (!model->files->manifest.root)
            model->state[0] = ebb_unet_in_channels(unet);
    }
    int inputs = model->state[0] * (model->conditioned ? 2 : 1), multiple = ebb_unet_multiple(unet);
    if (ebb_unet_in_channels(unet) != inputs)
        return mismatch(model, error, "\"in_channels\" of the U-Net", ebb_unet_in_channels(unet), inputs);
    if (ebb_unet_out_channels(unet) != model->state[0])
        return mismatch(model, error, "\"out_channels\" of the U-Net", ebb_unet_out_channels(unet),
                        model->state[0]);
    if (model->state[1] % multiple || model->state[2] % multiple)
        return ebb_fail(error, EBB_CORRUPT, "%s: the U-Net works on %d x %d, expected multiples of %d",
                        model->files->path, model->state[1], model->state[2], multiple);
    return EBB_OK;
}

// The classifier must have the model's labels, in their order, and take the model's states.
static enum ebb_result check_classifier(struct ebb_model *model, struct ebb_error *error)
{
    const struct ebb_classifier *c = model->classifier;
    if (!c)
        return EBB_OK;
    int labels = ebb_classifier_labels(c), multiple = ebb_classifier_multiple(c);
    if (labels != model->info.label_count)
        return mismatch(model, error, "the number of labels of its classifier", labels,
                        model->info.label_count);
    if (ebb_classifier_in_channels(c) != model->state[0])
        return mismatch(model, error, "\"in_channels\" of its classifier", ebb_classifier_in_channels(c),
                        model->state[0]);
    if (model->state[1] % multiple || model->state[2] % multiple)
        return ebb_fail(error, EBB_CORRUPT, "%s: its classifier works on %d x %d, expected multiples of %d",
                        model->files->path, model->state[1], model->state[2], multiple);

    struct ebb_json_file *config = &model->files->network[EBB_PART_CLASSIFIER]->config;
    struct ebb_json j = ebb_json_root(config);
    for (int i = 0; ebb_json_given(&j, "labels") && i < labels; i++) {
        const char *name = ebb_json_string_at(&j, "labels", i);
        if (!name || strcmp(name, model->labels[i].name) != 0)
            return ebb_fail(error, EBB_CORRUPT,
                            "%s: label %d of its classifier is \"%.60s\", expected \"%.60s\"", config->path,
                            i, name ? name : "", model->labels[i].name);
    }
    return EBB_OK;
}

// A U-Net that is told a vector of the words, as AudioLDM's is, or in the place of a class.
static enum ebb_result check_vector(const struct ebb_model *model, int width, struct ebb_error *error)
{
    int made = model->text[0] ? ebb_text_encoder_pooled(model->text[0]) : 0;
    if (!model->text[0])
        return ebb_fail(error, EBB_NOT_FOUND,
                        "%s: the network is told a vector of words, and there is no text_encoder folder",
                        model->files->path);
    return made == width ? EBB_OK
                         : mismatch(model, error, "the width of the text encoder's vector", made, width);
}

// AudioLDM 2: what one network makes, the next takes.
static enum ebb_result check_two_texts(const struct ebb_model *model, struct ebb_error *error)
{
    enum { BESIDES = 6 }; // of the language model's tokens: a vector, four ends, and one token of the prompt
    int widths[3];
    if (!model->language)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "%s: the U-Net is told two texts, which AudioLDM2Pipeline alone makes; ebb eval can",
                        model->files->path);
    ebb_text_projection_widths(model->projection, widths);
    const struct {
        const char *what;
        int found, expected;
    } rows[] = {
        {"the width of its text_encoder's vector", ebb_text_encoder_pooled(model->text[0]), widths[0]},
        {"the width of its text_encoder_2's states", ebb_text_encoder_width(model->text[1]), widths[1]},
        {"the width of its language_model's states", ebb_text_encoder_width(model->language), widths[2]},
        {"the width of the first text that its U-Net sees", ebb_unet_text_width(model->unet, 0), widths[2]},
        {"the width of the second text that its U-Net sees", ebb_unet_text_width(model->unet, 1), widths[1]},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].found != rows[i].expected)
            return mismatch(model, error, rows[i].what, rows[i].found, rows[i].expected);
    int least = BESIDES + ebb_text_encoder_follow(model->language),
        places = ebb_text_encoder_longest(model->language);
    return places >= least
               ? EBB_OK
               : ebb_fail(error, EBB_CORRUPT, "%s: its language_model takes %d tokens, expected at least %d",
                          model->files->path, places, least);
}

// A U-Net that is told words needs who makes them.
static enum ebb_result check_words(const struct ebb_model *model, struct ebb_error *error)
{
    int width = ebb_unet_text_width(model->unet, 0), vector = ebb_unet_config(model->unet)->class_vector;
    int made = model->text[0] ? ebb_text_encoder_width(model->text[0]) : 0;
    if (model->words_are_classes)
        return check_vector(model, ebb_unet_class_vector(model->unet), error);
    if (vector && ebb_unet_may_lack_text(model->unet))
        return check_vector(model, vector, error);
    if (vector)
        return ebb_fail(
            error, EBB_UNSUPPORTED,
            "%s: the U-Net is told words and a vector, which no pipeline here makes; ebb eval can",
            model->files->path);
    if (ebb_unet_text_width(model->unet, 1) || model->language)
        return check_two_texts(model, error);
    if (!model->text[0] && (ebb_unet_may_lack_text(model->unet) || model->info.encoding))
        return EBB_OK;
    if (!model->text[0])
        return ebb_fail(error, EBB_NOT_FOUND,
                        "%s: the network is told words, and there is no text_encoder folder",
                        model->files->path);
    return made == width ? EBB_OK
                         : mismatch(model, error, "the width of the text encoder's states", made, width);
}

enum ebb_result ebb_model_check(struct ebb_model *model, struct ebb_error *error)
{
    enum ebb_result result = check_state(model, error);
    if (result == EBB_OK)
        result = check_words(model, error);
    return result == EBB_OK ? check_classifier(model, error) : result;
}
