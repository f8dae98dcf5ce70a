// SPDX-License-Identifier: LGPL-2.1-or-later
// An opened model, as generate, edit and denoise use it.
#ifndef EBB_MODEL_MODEL_H
#define EBB_MODEL_MODEL_H

#include <ebb/mel.h>
#include <ebb/model.h>

#include "diffusion/run.h"
#include "graph/plan.h"
#include "nets/nets.h"

struct ebb_curve_point {
    double x, y;
};

struct ebb_curve { // linear between the points, flat beyond them
    struct ebb_curve_point *points;
    int count; // 0: there is none
};

enum { EBB_MODEL_TEXTS = 2 }; // text encoders of a model

struct ebb_model_files;
struct ebb_tokenizer;
struct ebb_workspace;

struct ebb_model {
    struct ebb_model_info info;
    struct ebb_label *labels; // info.label_count
    int classes;              // classes of the network, 0: the network knows none
    int no_label;             // class id that means "no label"; -1: none
    int student;              // added to a class id to ask the student; 0: the model has no student
    struct ebb_mel_params mel;
    bool high_first;  // the network's rows go from the highest band to the lowest
    bool time_down;   // time goes down the network's pictures, and bands across; states here have it as ever
    int patch[2];     // mel rows and columns that are folded into channels
    bool conditioned; // the network also sees the noisy mel
    // > 0: the state is the change of the mel, x = 1 + 2 / change_db * (clean dB - noisy dB); 0: the mel
    // itself
    double change_db;
    // The network's latents are (autoencoder's mean - latent_mean) / latent_std; config's shift and scale
    // included.
    float *latent_mean; // per channel; NULL: zeros
    float latent_std;
    float silence;    // values of a decoded mel below this are silence, -1
    int state[3];     // (c, h, w) of the state of one window
    int state_stride; // mel frames per column of the state

    struct ebb_schedule *schedule;
    struct ebb_run_params run;    // from the scheduler's config: prediction, spacing, offset, clip, quirks
    struct ebb_curve auto_t;      // t by the recording's estimated signal-to-noise ratio
    struct ebb_curve auto_doubt;  // upper limit of t, by the excess of that estimate over the network's own
    struct ebb_curve auto_unsure; // upper limit of t, by how unsure the network is of its gains
    struct ebb_curve auto_voice;  // how much the network's own estimate counts, by how much it keeps a voice
    // Networks have their layout once the model is open, and their weights once it is loaded. Models of the
    // same files share them.
    const struct ebb_unet *unet;
    const struct ebb_autoencoder *vae;       // NULL: none, the state is the mel
    const struct ebb_classifier *classifier; // NULL: none
    const struct ebb_vocoder *vocoder;       // makes sounds of mels; NULL: phases are found for magnitudes
    // Of a model that is asked in words; NULL: it is not.
    const struct ebb_text_encoder *text[EBB_MODEL_TEXTS];
    struct ebb_tokenizer *tokenizer[EBB_MODEL_TEXTS];
    // AudioLDM 2: text[0]'s vector and text[1]'s states are projected; a language model goes on from them.
    const struct ebb_text_projection *projection;
    const struct ebb_text_encoder *language;
    bool words_are_classes; // the vector of a prompt stands in the place of a class's row; labels are classes

    struct ebb_device *device; // NULL before ebb_model_load()

    struct ebb_workspace *workspace; // plans and buffers for this device; NULL before the first use
    struct ebb_model_files *files;   // see model_files.h
};

#endif
